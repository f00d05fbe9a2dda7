"""The Human Sleep Project: codes that run backwards, in a signal; channels named by each site."""

from __future__ import annotations

import pytest
from builds import rows, run
from psgimg.builder.corpora import scoring_grid
from psgimg.builder.corpora.hsp import hsp, hsp_channels
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Stage, Unscored
from tiny_hsp import write_hsp, write_stages


def read(path, scorer=""):
    recording = Recording("hsp", "sub-x", "sub-x_ses-1", path, {"expert": path})
    return hsp.read_hypnogram(recording, scorer).scores


def test_nights_of_all_sites_are_found_with_both_scorers(tmp_path):
    truth = write_hsp(tmp_path)
    found = list(hsp.CORPUS.recordings(tmp_path))
    assert [one.recording for one in found] == sorted(truth)
    for one in found:
        assert list(one.scorings) == ["expert", "caisr"]
        assert one.recording.startswith(one.subject + "_")
        assert hsp.read_hypnogram(one, "expert").scores == truth[one.recording]
        program = hsp.read_hypnogram(one, "caisr").scores
        assert (program[0], program[1:]) == (Stage.W, truth[one.recording][1:])


@pytest.mark.parametrize(("unit", "span"), [("", (0, 9)), ("stage", (-3, 11)), ("uV", (-100, 155))])
def test_codes_run_backwards_in_whatever_unit_and_range(tmp_path, unit, span):
    path = tmp_path / "sub-x_ses-1_expert_annotations.edf"
    write_stages(path, "stage_expert", [5, 4, 3, 2, 1, 0, 9], unit=unit, span=span)
    unscored = Unscored.UNSCORED
    stages = (Stage.W, Stage.REM, Stage.N1, Stage.N2, Stage.N3, unscored, unscored)
    assert read(path) == stages


def test_a_scoring_on_its_own_lies_where_the_corpus_reads_it(tmp_path):
    write_stages(tmp_path / "night.edf", "stage_caisr", [5, 9, 1])
    found = scoring_grid.read(tmp_path / "night.edf", tmp_path / "signal.edf", None, "hsp")
    assert found.onsets_s == (0, 30, 60)


@pytest.mark.parametrize(
    ("written", "match"),
    [
        ({"codes": [5, 6, 1]}, "stage_expert, epoch 1 has '6'"),
        ({"codes": [5, 2.5, 1]}, "epoch 1 has '2.5"),
        ({"codes": [5, 4, 1], "rate_s": 10}, "not one sample per 30 s"),
        ({"codes": [5, 4, 1], "label": "stage_human"}, "0 channels stage_expert, not one"),
    ],
)
def test_a_scoring_of_another_form_is_refused(tmp_path, written, match):
    path = tmp_path / "sub-x_ses-1_expert_annotations.edf"
    write_stages(path, written.pop("label", "stage_expert"), **written)
    with pytest.raises(RecordingError, match=match):
        read(path)


def test_labels_of_the_sites_are_read_as_what_they_say():
    labels = [
        "F3/M2", "c4m1", "EEG O2-A1_EG", "m2:f3", "f3-avg", "E1-M2", "eog2", "lt. eye (e1)",
        "Chin_EMG", "EMG2", "F3-M2+M1", "Airflow", "LAT",
    ]  # fmt: skip
    found = hsp_channels.channels(labels)
    assert found == {
        "F3/M2": "F3-M2", "c4m1": "C4-M1", "EEG O2-A1_EG": "O2-M1", "m2:f3": "M2-F3",
        "f3-avg": "F3-AVG", "E1-M2": "E1-M2", "eog2": "E2-REF", "lt. eye (e1)": "E1-REF",
        "Chin_EMG": "Chin", "EMG2": "Chin2-REF",
    }  # fmt: skip


def test_both_sites_are_built_with_the_program_as_second_scorer(tmp_path):
    truth = write_hsp(tmp_path / "hsp")
    report, _ = run(tmp_path / "out", tmp_path / "hsp", "hsp", trim_min=None)
    assert not report.values["set_aside"]
    lanes = {fact["recording"]: fact["lanes"] for fact in report.values["recordings"]}
    assert [*lanes.values()] == [
        ["F3-M2", "C3-M2", "O1-M2", "E1-M2", "E2-M2", "Chin1-Chin2"],
        ["F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin1-Chin2"],
    ]
    table = rows(tmp_path / "out")
    assert len(table) == sum(isinstance(s, Stage) for night in truth.values() for s in night)
    assert {row["label_2"] for row in table} <= set(range(5))
