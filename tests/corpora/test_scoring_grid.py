"""Scoring grid: every format of scoring that a corpus has is recognised, and lies where it reads it."""

import numpy as np
import pytest
import tiny
from psgimg.builder.corpora import registry, scoring_grid, stage_text
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.stages import Stage, Unscored
from tiny_edf import START, Channel, write_annotations, write_psg

CORPORA = ("shhs", "mros", "wsc", "isruc", "mass", "sleep-edf", "hmc", "dcsm")


@pytest.mark.parametrize("name", CORPORA)
def test_the_epochs_are_those_that_the_corpus_reads_without_being_told_the_format(name, tmp_path):
    tiny.WRITERS[name](tmp_path, minutes=4)
    corpus = registry.corpus(name)
    n_read = 0
    for recording in corpus.recordings(tmp_path):
        start = open_edf(recording.signal).start
        for scorer, path in recording.scorings.items():
            expected = corpus.read_hypnogram(recording, scorer)
            for form in (None, name):
                found = scoring_grid.read(path, recording.signal, start, form)
                assert found.epoch_s == expected.epoch_s
                np.testing.assert_allclose(found.onsets_s, expected.onsets_s, atol=1e-6)
                assert found.scores == expected.scores
                n_read += 1
    assert n_read >= 4


@pytest.fixture
def signal(tmp_path):
    path = tmp_path / "night.edf"
    write_psg(path, [Channel("EEG C4-M1", 100)], ["W"] * 10)
    return path


@pytest.mark.parametrize(
    ("text", "onsets_s", "epoch_s"),
    [
        ("onset,duration,stage\n12.5,60,N1\n72.5,30,W\n80,3,arousal\n", [12.5, 42.5, 72.5], 30),
        ("stage\tonset\nW\t0\nN2\t20\n?\t60\n", [0, 20, 60], 20),
        ("epoch,onset_s,time,stage,p_W\n0,7.5,22:00,W,1\n1,37.5,,,\n", [7.5, 37.5], 30),
        ("wake\nN1\nREM\n", [0, 30, 60], 30),
        ("W\n1\n2\n3\n4\nR\n", [0, 30, 60, 90, 120, 150], 30),
        ('"onset";"stage, AASM";"stage"\n"0";"a";"W"\n"30";"b";"N2"\n', [0, 30], 30),
    ],
)
def test_tables_and_lists_are_recognised(text, onsets_s, epoch_s, signal, tmp_path):
    path = tmp_path / "scoring.csv"
    path.write_text(text)
    found = scoring_grid.read(path, signal, START)
    assert (list(found.onsets_s), found.epoch_s) == (onsets_s, epoch_s)


@pytest.mark.parametrize("heading", ["", "onset,stage\n"])
def test_numbers_are_stages_only_beside_words_or_by_codes(heading, signal, tmp_path):
    def read(words, codes=None):
        rows = [f"{30 * i},{word}" if heading else word for i, word in enumerate(words)]
        path = tmp_path / "scoring.csv"
        path.write_text(heading + "\n".join(rows) + "\n")
        return scoring_grid.read(path, signal, START, codes=codes or {})

    r_and_k = [Stage.W, Stage.N1, Stage.N2, Stage.N3, Stage.N3, Stage.REM]
    assert [*read(["W", "1", "2", "3", "4", "R"]).scores] == r_and_k
    assert [*read([f"Sleep stage {one}" for one in "W1234R"]).scores] == r_and_k
    assert [*read([f"Sleep stage {one}" for one in "1234"]).scores] == r_and_k[1:5]
    codes = dict(zip("012345", r_and_k, strict=True))
    assert [*read([*"012345"], codes).scores] == r_and_k
    assert [*read(["0", "9", "-1"], codes).scores] == [Stage.W, *[Unscored.UNSCORED] * 2]
    for words in ("01234", "0123", "01235", "12345", "W0", "5R", ["Sleep stage 5"]):
        with pytest.raises(RecordingError, match="as numbers") as refused:
            read([*words])
        assert refused.value.reason == "stages as numbers"
    assert len(read([*"01234"], stage_text.PLACES_ONLY)) == 5


def test_gaps_stay_gaps_and_an_annotation_file_counts_from_its_own_start(signal, tmp_path):
    path = tmp_path / "scoring.edf"
    marks = [(0, 30, "Sleep stage W"), (45, 60, "Sleep stage N2"), (50, 2, "arousal")]
    write_annotations(path, marks, START.replace(second=12))
    found = scoring_grid.read(path, signal, START)
    assert found.onsets_s == (12, 57, 87)
    write_annotations(path, marks, START.replace(second=12, day=7))
    other_day = START.replace(day=9)
    with pytest.raises(RecordingError, match=r"apart from night\.fif"):
        scoring_grid.read(path, tmp_path / "night.fif", other_day)
    assert scoring_grid.read(path, tmp_path / "night.fif", START.replace(day=7)).onsets_s == (
        12,
        57,
        87,
    )
    unknown = scoring_grid.read(path, tmp_path / "night.fif", None)
    assert unknown.onsets_s == (0, 45, 75)
    assert "whose start is unknown" in unknown.notes[-1]


def test_a_file_of_ones_own_is_read_by_the_corpus_file_that_describes_it(signal, tmp_path):
    path = tmp_path / "scoring.txt"
    path.write_text("wach\nleicht\ntief\n")
    with pytest.raises(RecordingError, match="--scoring-format"):
        scoring_grid.read(path, signal, START)
    (tmp_path / "lab.yaml").write_text(
        "{name: lab, title: Lab, recordings: '{subject}.edf', mains_hz: 50, montage: central,\n"
        "scoring: {format: txt, file: '{subject}.txt'}, stages: {wach: W, leicht: N1, tief: N3},\n"
        "channels: {EEG C4-M1: C4-M1}, terms: {licence: own, licence_url: 'https://example.org',\n"
        "access: none, citation: none}}\n"
    )
    found = scoring_grid.read(path, signal, START, str(tmp_path / "lab.yaml"))
    assert found.onsets_s == (0, 30, 60)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "onset,duration,stage\n0,30,arousal\n", "a.csv has no stage"),
        ("a.csv", "onset,duration,stage\n0,31,W\n31,30,W\n", "not a multiple of 30 s"),
        ("a.csv", "onset,duration,stage\n0,abc,W\n", "'abc', not a number"),
        ("a.txt", "once upon a time\n", "'once upon a time'"),
        ("a.csv", "onset_s;stage, AASM\n0;W\n", "'onset_s;stage, AASM'"),
        ("a.csv", f"onset,stage\n0,{'W' * 200_000}\n", "a.csv, line 2: field larger"),
        ("a.txt", "\n", "is empty"),
        ("a.xml", "<Other></Other>", "not <PSGAnnotation>"),
    ],
)
def test_what_is_no_scoring_is_refused_in_one_line(name, text, words, signal, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordingError, match=words) as refused:
        scoring_grid.read(tmp_path / name, signal, START)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(signal, tmp_path):
    with pytest.raises(RecordingError, match=r"gone\.txt not found"):
        scoring_grid.read(tmp_path / "gone.txt", signal, START)


def test_the_real_scorings_of_other_people_are_recognised(real_recordings):
    night = real_recordings / "sleep-edf" / "SC4001E0-PSG.edf"
    start = open_edf(night).start
    own = scoring_grid.read(night.with_name("SC4001EC-Hypnogram.edf"), night, start)
    assert (len(own), own.epoch_s) == (2880, 30)
    xml = sorted((real_recordings / "shhs").glob("*.xml"))
    assert xml
    assert {len(scoring_grid.read(path, night, start)) for path in xml} == {1084}
    expert = sorted((real_recordings / "isruc").glob("*_1.txt"))
    assert {scoring_grid.read(path, night, start).notes for path in expert} <= {()}
    assert {len(scoring_grid.read(path, night, start)) for path in expert} <= {954}


def test_real_tables_of_other_codes_are_not_taken_for_those_of_r_and_k(real_recordings):
    night = real_recordings / "sleep-edf" / "SC4001E0-PSG.edf"
    path = min((real_recordings / "ucddb").glob("*_stage.txt"))
    with pytest.raises(RecordingError, match="as numbers"):
        scoring_grid.read(path, night, None)
    words = (Stage.W, Stage.REM, Stage.N1, Stage.N2, Stage.N3, Stage.N3)
    codes = dict(zip("012345", words, strict=True))
    found = scoring_grid.read(path, night, None, codes=codes)
    assert len(found) == len(path.read_text().split())
    assert set(found.scores) >= set(Stage)
