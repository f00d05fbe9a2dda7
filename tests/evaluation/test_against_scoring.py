"""A staged night beside somebody's scoring of it: any format, the right epochs, nothing silent."""

import json
from datetime import datetime

import numpy as np
import pytest
import tiny
from psgimg.builder.corpora import registry
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES, Stage
from psgimg.builder.unscored_night import Grid
from psgimg.finetune.evaluation.evaluate import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.staging import hypnogram_files
from psgimg.finetune.staging.staged_night import StagedNight
from tiny_edf import START, write_annotations

STAGES = [0, 0, 1, 2, 2, 3, UNSCORED, 3, 4, 4, 0, 1]
WORDS = {0: "W", 1: "N1", 2: "N2", 3: "N3", 4: "R", UNSCORED: "?"}


def staged(folder, stages=STAGES, *, start=START, epoch_s=30.0, first_s=0.0, **facts):
    """Write a folder as `psgimg stage` does, without its picture."""
    odds = np.full((len(stages), 5), np.nan)
    for row, stage in enumerate(stages):
        if stage != UNSCORED:
            odds[row] = 0.05
            odds[row, stage] = 0.8
    numbers = tuple(range(len(stages)))
    grid = Grid(numbers, tuple(first_s + epoch_s * i for i in numbers), epoch_s)
    night = StagedNight("night.edf", start, odds, None, None, 0.7, {}, grid=grid)
    folder.mkdir()
    hypnogram_files.write_table(folder / "hypnogram.csv", night)
    hypnogram_files.write_annotations(folder / "hypnogram.edf", night)
    written = {"night": "night.edf", "grid": {"epoch_s": epoch_s}, **facts}
    (folder / "statistics.json").write_text(json.dumps(written))
    return folder


def table(path, words, *, first_s=0.0, epoch_s=30.0):
    rows = [f"{first_s + epoch_s * i:g},{epoch_s:g},{word}" for i, word in enumerate(words)]
    path.write_text("\n".join(["onset,duration,stage", *rows]) + "\n")
    return path


def compared(folder, scoring, form=None, codes=None):
    config = EvaluateConfig((folder,), against=scoring, scoring_format=form, codes=codes)
    return evaluate(config)


def accuracy(evaluation):
    return evaluation.values["pooled"]["figures"]["accuracy"]["value"]


def test_a_night_agrees_with_its_own_stages_in_every_form_that_is_written(tmp_path):
    night = staged(tmp_path / "night-stages")
    for name in ("hypnogram.csv", "hypnogram.edf"):
        found = compared(night, night / name)
        assert (found.values["counts"]["epochs"], accuracy(found)) == (11, 1)
    by_table = compared(night / "hypnogram.csv", night / "hypnogram.edf")
    assert by_table.values["counts"] == found.values["counts"]


def test_only_epochs_on_which_both_decide_are_compared_and_the_others_counted(tmp_path):
    night = staged(tmp_path / "night-stages")
    words = [WORDS[stage] for stage in STAGES]
    words[1], words[6], words[8] = "N1", "N2", "?"
    found = compared(night, table(tmp_path / "s.csv", words))
    assert found.values["counts"]["epochs"] == 10
    assert accuracy(found) == 0.9
    assert "Scored epochs that were not staged, left out: 1." in found.notes


@pytest.mark.parametrize("name", ["shhs", "mros", "isruc", "sleep-edf", "hmc", "dcsm", "wsc"])
def test_scorings_of_every_corpus_are_read_with_their_stages(name, tmp_path):
    tiny.WRITERS[name](tmp_path / "corpus", minutes=4)
    corpus = registry.corpus(name)
    recording = next(iter(corpus.recordings(tmp_path / "corpus")))
    scorer, path = next(iter(recording.scorings.items()))
    truth = corpus.read_hypnogram(recording, scorer)
    last = max(truth.index(onset_s) for onset_s in truth.onsets_s)
    stages = [UNSCORED] * (last + 1)
    for onset_s, score in truth:
        if isinstance(score, Stage):
            stages[truth.index(onset_s)] = int(score)
    offset_s = min(truth.onsets_s) % 30
    start = datetime(1985, 1, 1, 22, 0)
    if path.suffix.lower() == ".edf":
        from psgimg.builder.recordings.edf import open_edf

        start = open_edf(recording.signal).start
    night = staged(tmp_path / "night-stages", stages, start=start, first_s=offset_s)
    for form in (None, name):
        found = compared(night, path, form)
        assert (accuracy(found), found.values["counts"]["epochs"]) == (1, truth.n_staged), form


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [
        (["0", "1", "2", "3", "4"], "0=W,1=N1,2=N2,3=N3,4=REM"),
        (["0.0", "1.0", "2.0", "3.0", "5.0"], "0=W,1=N1,2=N2,3=N3,4=N3,5=REM"),
        (["5", "3", "2", "1", "4"], "5.0=W,4=REM,3=N1,2=N2,1=N3,0=N3"),
        (["wach", "N1", "N2", "N3", "R"], "wach=W"),
    ],
)
def test_codes_say_what_a_scoring_means(numbers, codes, tmp_path):
    night = staged(tmp_path / "night-stages", list(range(5)))
    assert accuracy(compared(night, table(tmp_path / "s.csv", numbers), codes=codes)) == 1


def test_a_code_without_a_stage_leaves_its_epochs_out(tmp_path):
    night = staged(tmp_path / "night-stages", list(range(5)))
    path = table(tmp_path / "s.csv", ["0", "9", "2", "-1", "4"])
    found = compared(night, path, codes="0=W,1=N1,2=N2,3=N3,4=REM,9=")
    assert (found.values["counts"]["epochs"], accuracy(found)) == (3, 1)
    assert any("'-1' (1)" in note for note in found.notes)


@pytest.mark.parametrize("numbers", ["01234", "0123", "01235", "012345", "12345", "2"])
def test_numbers_that_nobody_explains_are_refused_with_the_remedy(numbers, tmp_path):
    night = staged(tmp_path / "night-stages", [0, 1, 2, 3, 4, 0])
    for spelt in (list(numbers), [f"{number}.0" for number in numbers]):
        path = table(tmp_path / "s.csv", [*spelt, "9"])
        with pytest.raises(BuildError, match=r"s\.csv.*as numbers.*--codes 0=W.*4=N3,5=REM"):
            compared(night, path)
        rest = ",".join(f"{number}=N1" for number in (*numbers[:-1], "9"))
        with pytest.raises(BuildError, match=rf"numbers \({numbers[-1]}\)"):
            compared(night, path, codes=rest)


def test_codes_and_a_format_are_not_mixed(tmp_path):
    night = staged(tmp_path / "night-stages")
    with pytest.raises(BuildError, match="--codes 0=W: --scoring-format isruc says"):
        compared(night, night / "hypnogram.csv", "isruc", "0=W")


def test_words_that_are_no_stage_are_counted_and_told(tmp_path):
    night = staged(tmp_path / "night-stages")
    words = ["Sleep stage X", *(f"Sleep stage {WORDS[stage]}" for stage in STAGES[1:])]
    found = compared(night, table(tmp_path / "s.csv", words))
    assert found.values["counts"]["epochs"] == 10
    assert any("'Sleep stage X' (1)" in note for note in found.notes)


def test_the_scorings_own_start_is_heeded(tmp_path):
    night = staged(tmp_path / "night-stages")
    later = START.replace(minute=1)
    marks = [(30.0 * i, 30, f"Sleep stage {WORDS[stage]}") for i, stage in enumerate(STAGES[2:])]
    path = tmp_path / "scoring.edf"
    write_annotations(path, marks, later)
    assert accuracy(compared(night, path)) == 1


def test_the_time_between_the_lights_is_compared_if_it_is_known(tmp_path):
    night = staged(tmp_path / "night-stages", lights_off_s=60, lights_on_s=180)
    found = compared(night, night / "hypnogram.csv")
    assert found.values["counts"]["epochs"] == 4
    assert any("scored epochs outside: 7" in note for note in found.notes)


def test_epochs_of_another_place_are_compared_with_the_nearer_and_counted(tmp_path):
    night = staged(tmp_path / "night-stages")
    words = [WORDS[stage] for stage in STAGES]
    found = compared(night, table(tmp_path / "s.csv", words, first_s=10))
    assert accuracy(found) == 1
    assert any(note.startswith("11 scored epochs start between") for note in found.notes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: table(p, ["W"] * 9, epoch_s=20), "epochs last 20 s.*psgimg stage --scoring"),
        (lambda p: table(p, ["W"] * 4, first_s=9000), "both are of the same night"),
        (lambda p: p.with_name("gone.csv"), "gone.csv not found"),
    ],
)
def test_what_can_not_be_compared_is_refused_in_one_line(make, words, tmp_path):
    night = staged(tmp_path / "night-stages")
    with pytest.raises(BuildError, match=words) as refused:
        compared(night, make(tmp_path / "s.csv"))
    assert "\n" not in str(refused.value)


def test_a_night_alone_is_refused_with_what_it_lacks(tmp_path):
    night = staged(tmp_path / "night-stages")
    for path in (night, night / "hypnogram.csv"):
        with pytest.raises(BuildError, match="--against FILE"):
            EvaluateConfig((path,))
    with pytest.raises(BuildError, match="one night"):
        EvaluateConfig((night, night), against=night / "hypnogram.csv")
    with pytest.raises(BuildError, match="can't be used together"):
        EvaluateConfig((night,), against=night / "hypnogram.csv", combine=True)


def test_the_report_lies_beside_the_night_and_not_in_it(tmp_path):
    night = staged(tmp_path / "night-stages")
    for path in (night, night / "hypnogram.csv"):
        config = EvaluateConfig((path,), against=night / "hypnogram.csv")
        assert config.folder == tmp_path / "night-stages-evaluation"


def test_the_real_scoring_of_a_real_night_is_found(real_recordings, tmp_path):
    scoring = real_recordings / "sleep-edf" / "SC4001EC-Hypnogram.edf"
    stages = [0] * 2650
    start = datetime(1989, 4, 24, 16, 13)
    found = compared(staged(tmp_path / "SC4001-stages", stages, start=start), scoring)
    rows = found.values["pooled"]["confusion"]
    assert [sum(row) for row in rows] == [1997, 58, 250, 220, 125]
    assert len(STAGE_NAMES) == len(rows)
