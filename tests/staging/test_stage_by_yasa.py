"""YASA's stager stages a night without a model of one's own: what it is given, and what is told of it."""

import csv
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from click.testing import CliRunner
from needed import need
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.staging.stage import OUTPUT, PICTURE, stage
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.terminal import stage_command
from tiny_edf import Channel, discontinuous, write_psg
from tiny_edf import night as words_of

N_EPOCHS = 24
INPUTS = [
    Channel("EEG F4-A1", 100),
    Channel("EEG C4-A1", 100),
    Channel("EOG LOC-A2", 100, "eog"),
    Channel("EMG chin", 100, "emg"),
]


@pytest.fixture(scope="module", autouse=True)
def yasa():
    need("yasa")
    return pytest.importorskip("yasa")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    path = tmp_path_factory.mktemp("night") / "night.edf"
    write_psg(path, INPUTS, words_of(N_EPOCHS))
    return path


def staged(night, out, **options):
    told = Remembered()
    return stage(StageConfig(night, "yasa", out, **options), told), told


@pytest.fixture(scope="module")
def whole(night, tmp_path_factory):
    out = tmp_path_factory.mktemp("staged") / "stages"
    return (*staged(night, out), out)


def test_the_probabilities_are_those_that_yasa_gives_the_file(night, whole, yasa):
    raw = mne.io.read_raw_edf(night, preload=True, verbose="error")
    names = {"eog_name": "EOG LOC-A2", "emg_name": "EMG chin"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = yasa.SleepStaging(raw, "EEG C4-A1", **names).predict()
    found = whole[0]
    np.testing.assert_allclose(found.probabilities, own.proba.to_numpy(), atol=1e-3)
    assert len(set(found.names)) > 1
    assert found.review.any()
    assert not found.review.all(), "marks come from its probabilities"


def test_every_file_says_that_yasa_staged_it_from_signals(whole, yasa):
    _, told, out = whole
    assert sorted(path.name for path in out.iterdir()) == sorted(OUTPUT)
    for name in set(OUTPUT) - {PICTURE}:
        text = (
            (out / name).read_bytes().decode("latin-1").replace(",_", ", ").replace("_sig", " sig")
        )
        assert f"YASA {yasa.__version__}, from signals" in text.replace("YASA_", "YASA "), name
    facts = json.loads((out / "statistics.json").read_text())
    assert (facts["model"], facts["reads"]) == ("yasa", "signals")
    assert facts["lanes"] == {"EEG": "C4-M1", "EOG": "E1-M2", "chin": "Chin"}
    assert any("reads signals, not pictures" in note for note in told.notes)


def test_it_needs_no_torch_and_gives_the_same_bytes(night, whole, tmp_path):
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'trl', 'peft'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from needed import need\n"
        "need('yasa')\n"
        "from psgimg.builder.cli import main\n"
        "main()\n"
    )
    support = str(Path(__file__).parents[1] / "support")
    path = os.pathsep.join(filter(None, (support, os.environ.get("PYTHONPATH"))))
    command = ["stage", str(night), "--model", "yasa", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    for name in OUTPUT:
        assert (tmp_path / "out" / name).read_bytes() == (whole[2] / name).read_bytes(), name


def test_a_night_without_central_eeg_is_refused_or_reviewed_whole(tmp_path):
    night = tmp_path / "frontal.edf"
    write_psg(night, [Channel("EEG Fpz-Cz", 100)], words_of(N_EPOCHS))
    with pytest.raises(BuildError, match=r"frontal\.edf has Fpz-Cz; .*--any-lanes"):
        staged(night, tmp_path / "out")
    found, _ = staged(night, tmp_path / "out", any_lanes=True)
    assert found.review.all()
    rows = list(csv.DictReader((tmp_path / "out" / "hypnogram.csv").read_text().splitlines()))
    assert {row["review"] for row in rows} == {"yes"}


def test_yasa_is_given_the_night_alone_if_its_lights_are_known(night, whole, tmp_path):
    found, _ = staged(night, tmp_path / "dark", lights_off="120", lights_on="600")
    assert np.flatnonzero(found.stages != UNSCORED).tolist() == list(range(4, 20))
    assert found.unscored == {"before lights off or after lights on": N_EPOCHS - 16}
    other = np.abs(found.probabilities[4:20] - whole[0].probabilities[4:20])
    assert other.max() > 0.01, "the rest of the recording was seen"


def test_parts_of_a_night_with_a_gap_are_staged_each_and_told(tmp_path):
    night = tmp_path / "gap.edf"
    rng = np.random.default_rng(0)
    edfio.Edf(
        [edfio.EdfSignal(rng.normal(0, 20, 700 * 100), 100, label="C4-M1")],
        annotations=[edfio.EdfAnnotation(0, None, "x")],
    ).write(night)
    discontinuous(night, {300: 345.0})
    found, told = staged(night, tmp_path / "out")
    assert np.flatnonzero(found.stages == UNSCORED).tolist() == [10, 11]
    assert "gaps divide the night into 2 parts; YASA stages each by itself" in told.notes


def test_age_and_sex_are_given_to_yasa(night, whole, tmp_path):
    found, _ = staged(night, tmp_path / "out", age=70, sex="M")
    assert np.abs(found.probabilities - whole[0].probabilities).max() > 1e-3
    facts = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert facts["person"] == {"age": 70, "male": 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "yasa", "age": 40}, "give both"),
        ({"model": "yasa", "age": 130, "sex": "F"}, "--age 130"),
        ({"model": "yasa", "batch_size": 4}, "--batch-size is for models that read pictures"),
        ({"model": "folder", "sex": "F"}, "--age and --sex are for --model yasa"),
    ],
)
def test_what_a_stager_can_make_no_use_of_is_refused(options, words):
    with pytest.raises(BuildError, match=words):
        StageConfig(Path("night.edf"), **options)


def test_without_a_model_both_ways_are_named(night):
    done = CliRunner().invoke(stage_command.stage, [str(night)])
    assert "'psgimg[yasa]'" in str(done.exception)
    assert "'psgimg[finetune]'" in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_missing_yasa_is_told_with_its_extra(night, monkeypatch, tmp_path):
    monkeypatch.setattr("psgimg.finetune.optional_dependencies.find_spec", lambda name: None)
    with pytest.raises(BuildError, match=r"needs yasa, lightgbm; .*'psgimg\[yasa\]'"):
        staged(night, tmp_path / "out")
