"""Channels: labels of laboratories are understood or left alone; what is given by hand wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.channels import choose, standard_channels
from psgimg.builder.recordings.montage import MONTAGES, Derivation, find, resolve

AASM = MONTAGES["aasm"]


@pytest.mark.parametrize(
    ("label", "derivation"),
    [
        ("EEG C4-A1", "C4-M1"),
        ("EEG C4 - A1", "C4-M1"),
        ("EEG-C4-A1", "C4-M1"),
        ("EEG_C4_A1", "C4-M1"),
        ("C4:M1", "C4-M1"),
        ("C4:A1", "C4-M1"),
        ("C4M1", "C4-M1"),
        ("c4-a1", "C4-M1"),
        ("C4–M1", "C4-M1"),
        ("O2/A1", "O2-M1"),
        ("F4 M1", "F4-M1"),
        ("EEG FPZ-CZ", "Fpz-Cz"),
        ("EEG Fpz-Cz", "Fpz-Cz"),
        ("EEG Pz-Oz", "Pz-Oz"),
        ("C4-Ref", "C4-REF"),
        ("EEG C3-REF", "C3-REF"),
        ("Cz..", "Cz-REF"),
        ("F3", "F3-REF"),
        ("A2", "M2-REF"),
        ("C3-AVG", "C3-AVG"),
        ("EEG C4-LER", "C4-LER"),
        ("C4-A1A2", "C4-LER"),
        ("C4-(A1+A2)/2", "C4-LER"),
        ("EOG LOC-A2", "E1-M2"),
        ("LOC-A2", "E1-M2"),
        ("ROCA1", "E2-M1"),
        ("EEG ROC-A1", "E2-M1"),
        ("E1:M2", "E1-M2"),
        ("E2-M1", "E2-M1"),
        ("EOGl:A2", "E1-M2"),
        ("EOG(L)", "E1-REF"),
        ("EOG-R", "E2-REF"),
        ("EOG Left", "E1-REF"),
        ("Right EOG", "E2-REF"),
        ("REOG", "E2-REF"),
        ("EOG L-M2", "E1-M2"),
        ("EOG horizontal", "EOGh"),
        ("EMG", "Chin"),
        ("EMG chin", "Chin"),
        ("EMG Chin", "Chin"),
        ("Chin EMG", "Chin"),
        ("EMG submental", "Chin"),
        ("Chin 1-Chin 2", "Chin1-Chin2"),
        ("EMG Chin1-Chin2", "Chin1-Chin2"),
        ("CHIN1", "Chin1-REF"),
        ("LChin", "Chin1-REF"),
        ("ECG", "ECG"),
        ("EKG", "ECG"),
        ("ECG II", "ECG"),
        ("EKG-Lead II", "ECG"),
        ("ECG1-ECG2", "ECG1-ECG2"),
        ("EKG1-EKG2", "ECG1-ECG2"),
    ],
)
def test_common_labels_are_understood(label, derivation):
    assert standard_channels([label]) == {label: derivation}


OTHERS = [
    "EMG Tib L", "EMG Tib", "EMG RAT", "EMG LAT", "EMG1", "EMG 2", "EMG1-EMG2", "EMG Left", "EMG O1",
    "Leg/L", "LEG(R)", "PLM l", "LAT1-LAT2", "EOG1", "EOG 2-A1", "EOG vertical", "EOG", "VEOG",
    "EEG", "EEG 2", "EEG(sec)", "EEG1-A1", "1-2", "F", "K", "24", "X7", "X7-X8", "DC3", "AUX",
    "SaO2", "SpO2", "OX STAT", "CO2", "EtCO2", "PO 2", "H.R.", "HR", "Heart Rate", "ECG rate", "Resp oro-nasal",
    "THOR RES", "ABDO RES", "Abdomen CaL", "Airflow", "NEW AIR", "POSITION", "LIGHT", "Temp rectal",
    "Event marker", "Snoring", "C4 Impedance", "C4-M1 (Imp)", "E1 ImpÃ©dance", "C4-C4", "Pulse",
    "Voltage (core)", "CPAP", "Activity", "Pleth", "", "-", "..",
]  # fmt: skip


@pytest.mark.parametrize("label", OTHERS)
def test_other_labels_are_left_alone(label):
    assert standard_channels([label]) == {}


@given(st.text(max_size=20))
def test_no_label_is_too_odd_to_be_looked_at(label):
    assert all(
        "-" in name or name in ("Chin", "ECG", "EOGh")
        for name in standard_channels([label]).values()
    )


EARS = {"M1": ["M1", "A1"], "M2": ["M2", "A2"]}
PLUSES = {
    **{e: [e] for e in ("F3", "F4", "C3", "C4", "O1", "O2", "Fpz", "Cz")},
    "E1": ["E1", "LOC"],
    "E2": ["E2", "ROC"],
}


@given(
    plus=st.sampled_from(sorted(PLUSES)),
    minus=st.sampled_from(sorted(EARS)),
    spelling=st.integers(0, 1),
    kind=st.sampled_from(["", "EEG ", "EEG-", "EEG_", "eeg "]),
    separator=st.sampled_from(["-", ":", " - ", "/", "_", " ", ""]),
    case=st.sampled_from([str, str.upper, str.lower]),
    around=st.sampled_from(["", " ", "  "]),
)
def test_a_derivation_is_one_however_a_lab_spells_it(
    plus, minus, spelling, kind, separator, case, around
):
    names = PLUSES[plus]
    label = kind + names[spelling % len(names)] + separator + EARS[minus][spelling]
    label = around + case(label) + around
    assert standard_channels([label])[label] == f"{plus}-{minus}"


def test_in_a_net_of_numbered_electrodes_none_is_an_eye():
    labels = [f"E{number}" for number in range(1, 129)]
    assert standard_channels(labels) == {}
    assert standard_channels(labels[:2]) == {"E1": "E1-REF", "E2": "E2-REF"}


@pytest.mark.parametrize("chin", ["EMG Chin", "Chin1-Chin2", "EMG submental"])
def test_a_channel_that_is_just_emg_is_no_chin_beside_one_that_says_so(chin):
    assert list(standard_channels(["EMG", chin])) == [chin]
    assert list(standard_channels(["EMG", "EMG Tib L"])) == ["EMG"]


def test_a_recording_like_sleep_edf_is_found_without_help():
    labels = ["EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal", "Resp oro-nasal", "EMG submental"]
    lanes = resolve(
        MONTAGES["sleep-edf"], labels, standard_channels(labels), "night.edf"
    ).derivations
    assert [lane.plus for lane in lanes] == [0, 1, 2, 4]


def test_every_montage_is_found_by_its_own_names():
    for known in MONTAGES.values():
        labels = [
            "EOG horizontal" if n == "EOGh" else n for n in (x.derivations[0] for x in known.lanes)
        ]
        lanes = resolve(known, labels, standard_channels(labels), "night.edf").derivations
        assert [lane.plus for lane in lanes] == list(range(len(labels)))


LABELS = ["EEG 1", "EEG 2", "C3-A2", "A1", "Right, upper", "SaO2", "EMG Tib L"]
BROKEN = ("SaO2",)


def chosen(channels, which="aasm", labels=LABELS, broken=BROKEN):
    def judge(derivation, kind):
        hit = [labels[i] for i in derivation.channels if labels[i] in broken]
        fault = RecordingError("unit is not a voltage", f"night.edf, channel {hit} is in '%'")
        return fault if hit else None

    return choose(MONTAGES[which], labels, channels, where="night.edf", judge=judge).derivations


def named(lanes):
    return [(lane.name, lane.plus, lane.minus) if lane else None for lane in lanes]


@pytest.mark.parametrize("key", ["C4", "c4", "C4-M1", "C4-A1", "EEG C4-A1"])
def test_a_lane_is_meant_by_its_name_or_by_what_it_takes(key):
    assert named(chosen({key: "EEG 1"}))[1] == ("C4-M1", 0, None)


def test_the_other_derivation_of_a_lane_keeps_its_name():
    assert named(chosen({"F3-M2": "EEG 1"}))[0] == ("F3-M2", 0, None)


def test_of_two_lanes_that_take_a_derivation_its_own_is_meant():
    lanes = named(chosen({"C3-M2": "EEG 1", "C4-M1": "EEG 2"}, "central"))
    assert lanes[:2] == [("C4-M1", 1, None), ("C3-M2", 0, None)]


def test_what_is_not_given_is_found_by_its_label():
    lanes = named(chosen({"F4": "EEG 1"}))
    assert lanes == [("F4-M1", 0, None), ("C3-M2", 2, None), None, None, None, None]


def test_a_channel_that_was_given_fills_no_other_lane():
    assert named(chosen({"F4": "C3-A2"}))[:2] == [("F4-M1", 2, None), None]


def test_two_labels_are_a_difference():
    lanes = named(chosen({"C4-M1": "EEG 1,A1", "F4-M1": "EEG 2, A1"}))
    assert lanes[:2] == [("F4-M1", 1, 3), ("C4-M1", 0, 3)]


def test_a_label_with_a_comma_is_one_label():
    assert named(chosen({"F4": "EEG 1", "E2": "Right, upper"}))[4] == ("E2-M2", 4, None)


def test_a_channel_that_is_no_voltage_is_never_found_by_its_label():
    labels = ["C4-M1", "O2-M1"]
    assert named(chosen({}, labels=labels, broken=["O2-M1"]))[2] is None


def test_a_lane_whose_channel_is_broken_shows_the_next_derivation():
    labels = ["F4-M1", "F3-M2", "C4-M1"]
    assert named(chosen({}, labels=labels, broken=["F4-M1"]))[0] == ("F3-M2", 1, None)


def test_of_two_equal_labels_the_usable_one_counts():
    twins = ["C4-M1", "C4-M1"]
    table = {"C4-M1": "C4-M1"}
    fault = RecordingError("channel without range", "night.edf: 0..0")
    found = find(AASM, twins, table, judge=lambda d, kind: None if d.plus else fault)
    assert found.derivations[1] == Derivation("C4-M1", 1)
    assert found.faults[1] == (("C4-M1", fault),)


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        ({"T3": "EEG 1"}, r"no lane 'T3'; choose from F4-M1, C4-M1, O2-M1, E1, E2, chin"),
        ({"C4": "EEG 7"}, r"night\.edf has no channel 'EEG 7'; it has 'EEG 1', 'EEG 2', 'C3-A2'"),
        ({"C4": "EEG 1,EEG 7"}, r"no channel 'EEG 7'"),
        ({"C4": "EEG 1,EEG 2,A1"}, r"no channel 'EEG 1,EEG 2,A1'"),
        ({"C4": ""}, r"no channel ''"),
        (
            {"C4": "SaO2"},
            r"--channel C4=SaO2 can't be used: night\.edf, channel \['SaO2'\] is in '%'",
        ),
        ({"C4": "EEG 1", "C3-M2": "EEG 2"}, r"gives lane C4 twice; give it once"),
        ({"C4": "EEG 1", "F4": "eeg 1"}, r"gives 'eeg 1' to two lanes; give each its own channel"),
    ],
)
def test_an_invalid_assignment_is_refused_in_one_line(channels, says):
    with pytest.raises(BuildError, match=says) as caught:
        chosen(channels)
    assert "\n" not in str(caught.value)


def test_without_eeg_there_is_a_list_and_a_way_out():
    with pytest.raises(BuildError) as caught:
        chosen({}, labels=["EEG 1", "EEG 2", "EMG"])
    assert str(caught.value) == (
        "night.edf: no EEG found for F4-M1, C4-M1, O2-M1 among its channels 'EEG 1', 'EEG 2', 'EMG'; "
        'assign them: --channel F4-M1="LABEL" --channel C4-M1="LABEL"'
    )


def test_a_derivation_by_hand_is_not_drawn_twice():
    labels = ["C4-M1", "EEG 1"]
    lanes = chosen({"C4-M1": "EEG 1"}, "central", labels)
    assert lanes[:2] == (Derivation("C4-M1", 1), None)
