"""Montage: each lane gets the best derivation the file can give, with its polarity, or none."""

import pytest
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.channels import standard_channels
from psgimg.builder.recordings.montage import MONTAGES, Derivation, Kind, resolve

AASM = MONTAGES["aasm"]


def found(labels, channels, which="aasm"):
    return resolve(MONTAGES[which], labels, channels, "night.edf").derivations


def test_a_recorded_derivation_is_taken_as_it_is():
    labels = ["EEG F4-A1", "EEG C4-A1"]
    assert found(labels, standard_channels(labels))[:2] == (
        Derivation("F4-M1", 0),
        Derivation("C4-M1", 1),
    )


def test_a_derivation_is_computed_from_a_common_reference():
    labels = ["C4", "A1", "O2", "LOC", "A2"]
    lanes = found(labels, standard_channels(labels))
    assert lanes[1] == Derivation("C4-M1", 0, 1)
    assert lanes[2] == Derivation("O2-M1", 2, 1)
    assert lanes[3] == Derivation("E1-M2", 3, 4)


def test_a_derivation_recorded_the_other_way_round_is_turned_over():
    lanes = found(["M1-C4"], {"M1-C4": "M1-C4"})
    assert lanes[1] == Derivation("C4-M1", 0, sign=-1)


def test_linked_ears_are_named_as_what_they_are():
    labels = ["EEG C4-LER", "EEG O2-LER"]
    lanes = found(labels, {label: label[4:] for label in labels})
    assert [lane.name if lane else None for lane in lanes] == [
        None,
        "C4-LER",
        "O2-LER",
        None,
        None,
        None,
    ]


def test_no_two_lanes_show_the_same_derivation():
    lanes = found(["C4-M1"], {"C4-M1": "C4-M1"}, "central")
    assert [lane.name if lane else None for lane in lanes] == ["C4-M1", None, None, None, None]


def test_labels_match_whatever_their_case_spaces_and_dots():
    lanes = found([" eeg(SEC) ", "E.E.G"], {"EEG(sec)": "C3-M2", "EEG": "C4-M1"}, "central")
    assert [lane.name for lane in lanes[:2]] == ["C4-M1", "C3-M2"]


def test_of_two_equal_labels_the_first_counts():
    assert found(["EEG", "EEG"], {"EEG": "C4-M1"})[1] == Derivation("C4-M1", 0)


def test_a_file_without_eeg_is_refused_with_both_lists():
    with pytest.raises(
        RecordingError, match=r"channels SaO2, EMG, .*needs one of .*C4-M1.*--montage"
    ):
        found(["SaO2", "EMG"], {"EMG": "Chin"})


def test_every_montage_has_an_eeg_lane_and_each_lane_a_choice():
    for known in MONTAGES.values():
        assert any(lane.kind is Kind.EEG for lane in known.lanes)
        assert all(lane.derivations for lane in known.lanes)


def test_a_lane_keeps_its_electrode_where_a_midline_derivation_could_be_computed():
    """MASS against linked ears: Fz-Cz would cancel the slow waves that Fz and Cz share."""
    labels = [
        f"EEG {name}-LER" for name in ("F3", "F4", "C3", "C4", "O1", "O2", "Fz", "Cz", "Pz", "Oz")
    ]
    lanes = found(labels, {label: label[4:] for label in labels})
    assert [lane.name for lane in lanes[:3]] == ["F4-LER", "C4-LER", "O2-LER"]


def test_fz_cz_and_cz_oz_serve_where_nothing_else_is_recorded():
    lanes = found(["a", "b", "c"], {"a": "Fz-Cz", "b": "Cz-Oz", "c": "C4-M1"})
    assert [lane.name for lane in lanes[:3]] == ["Fz-Cz", "C4-M1", "Cz-Oz"]
