"""Calibrate: what is kept with a model and applied by predict; what nothing may be fitted to."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from click.testing import CliRunner
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part

pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models
from psgimg.finetune import calibrate, predict
from psgimg.finetune.calibrate import CalibrateConfig
from psgimg.finetune.data import page_set
from psgimg.finetune.decoding import temperature, transitions
from psgimg.finetune.metrics import predictions
from psgimg.finetune.models import identity, provenance
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.predict import PredictConfig
from psgimg.finetune.terminal import calibrate_command
from tiny_manifest import manifest


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "PER_PART", 8)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("calibrate")
    tiny.write_shhs(place / "shhs", n_subjects=4, visits=(1,), minutes=6)
    options = {"style": "paper", "splits": "1/1/2", "seed": 3, "trim_min": None}
    build(BuildConfig(("shhs",), (str(place / "shhs"),), place / "out", **options), Remembered())
    return str(place / "out")


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory):
    """A model folder as `psgimg sft` writes it."""
    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_models.build("idefics3", folder, texts=[prompts.load("closed").question])
    train = page_set.load(dataset, None, "train")
    hashes = tuple(provenance.subject(*key) for key in provenance.subjects(train))
    known = transitions.of(train)
    manifest(build_report.read(Path(dataset)), subjects=hashes, transitions=known).save(folder)
    return folder


def run(model, dataset, out, split="test", **options):
    config = PredictConfig(str(model), dataset, out, split=split, batch_size=4, **options)
    return predict.predict(config, Remembered())


@pytest.fixture(scope="module")
def files(model, dataset, tmp_path_factory):
    """Predictions of the model before it was calibrated."""
    place = tmp_path_factory.mktemp("files")
    for split in ("validation", "test"):
        run(model, dataset, place / f"{split}.parquet", split)
    shutil.copy(place / "validation.parquet", place / "train.parquet")
    beside = (place / "validation.parquet.json").read_text()
    told = beside.replace('"split": "validation"', '"split": "train"')
    (place / "train.parquet.json").write_text(told)
    return place


@pytest.fixture(scope="module")
def calibrated(model, files, tmp_path_factory):
    """A copy of the model, calibrated, and what was fitted."""
    folder = shutil.copytree(model, tmp_path_factory.mktemp("calibrated") / "model")
    config = CalibrateConfig(files / "validation.parquet", str(folder))
    return folder, calibrate.calibrate(config)


def test_a_calibration_is_kept_with_the_model_whose_weights_stay_the_same(model, calibrated):
    folder, fit = calibrated
    before, after = identity.identify(str(model)), identity.identify(str(folder))
    assert after.weights == before.weights
    assert after.folder.calibration == fit
    assert after.folder == ModelFolder.load(folder)
    assert before.folder.calibration is None
    assert fit.weight is not None
    assert fit.temperature != 1


def test_predict_applies_the_temperature_and_decodes_as_calibrate_does(
    files, calibrated, dataset, tmp_path
):
    folder, fit = calibrated
    raw = predictions.read(files / "test.parquet")
    page = run(folder, dataset, tmp_path / "page.parquet")
    expected = temperature.scaled(raw.probabilities, fit.temperature)
    np.testing.assert_allclose(page.probabilities, expected, atol=1e-12)
    assert page.predictions.tolist() == raw.predictions.tolist()
    night = run(folder, dataset, tmp_path / "night.parquet", decode="night")
    config = CalibrateConfig(
        files / "validation.parquet",
        apply=files / "test.parquet",
        out=tmp_path / "applied.parquet",
        decode="night",
        dataset=dataset,
    )
    assert calibrate.calibrate(config) == fit
    assert predictions.read(tmp_path / "applied.parquet").table.equals(night.table)
    calibrate.calibrate(config)  # again, over its own file
    beside = json.loads((tmp_path / "night.parquet.json").read_text())
    applied = json.loads((tmp_path / "applied.parquet.json").read_text())
    assert beside["settings"]["decode"] == applied["settings"]["decode"] == "night"
    assert beside["settings"]["calibration"] == applied["settings"]["calibration"]
    assert beside["transitions"] == applied["transitions"] != []


def test_fitted_again_to_its_own_calibrated_predictions_a_model_is_the_same(
    calibrated, dataset, tmp_path
):
    folder, fit = calibrated
    again = shutil.copytree(folder, tmp_path / "model")
    for decode in ("page", "night"):
        out = tmp_path / f"{decode}.parquet"
        run(folder, dataset, out, "validation", decode=decode)
        found = calibrate.calibrate(CalibrateConfig(out, str(again)))
        assert found.temperature == pytest.approx(fit.temperature, abs=1e-3)
        assert found.weight == fit.weight


def test_parts_decoded_together_give_the_bytes_of_one_command(calibrated, dataset, tmp_path):
    folder, _ = calibrated
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts.parquet"
    run(folder, dataset, whole, decode="night")
    for number in (1, 2):
        assert run(folder, dataset, parts, decode="night", part=Part(number, 2)) is None
    run(folder, dataset, parts, decode="night", join=True)
    assert parts.read_bytes() == whole.read_bytes()


def test_decoding_is_refused_for_samples_texts_and_models_without_a_weight(
    model, dataset, tmp_path
):
    out = tmp_path / "p.parquet"
    with pytest.raises(BuildError, match=r"no weight .*psgimg calibrate --model"):
        run(model, dataset, out, decode="night")
    with pytest.raises(BuildError, match="--decode night and --limit: a night is decoded whole"):
        run(model, dataset, out, decode="night", limit=5)
    with pytest.raises(BuildError, match="--decode night needs probabilities"):
        run(model, dataset, out, decode="night", mode="generate")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": "test"}, r"of the split test: nothing is fitted to people"),
        ({"file": "train"}, r"of the split train: nothing is fitted to people"),
        ({"model": None}, r"give either --model DIR, .* or --apply FILE"),
        ({"model": None, "apply": "test"}, r"--apply FILE and --out FILE: give both"),
        ({"decode": "night"}, r"--decode night needs --apply FILE"),
        ({"model": None, "apply": "validation", "out": "o"}, r"have 1 subject in common, such as"),
        ({"model": None, "apply": "test", "out": "test"}, r"is read and would be replaced"),
    ],
    ids=str,
)
def test_nothing_is_fitted_to_the_wrong_people_or_half_told(options, message, files, model):
    given = {"file": "validation", "model": str(model), **options}
    paths = {
        name: files / f"{given[name]}.parquet" for name in ("file", "apply", "out") if name in given
    }
    before = (model / "psgimg.json").read_bytes()
    with pytest.raises(BuildError, match=message):
        calibrate.calibrate(CalibrateConfig(**{**given, **paths}))
    assert (model / "psgimg.json").read_bytes() == before
    assert not (files / "o.parquet").exists()


def test_predictions_of_other_weights_or_of_known_people_are_refused(model, files, tmp_path):
    other = shutil.copytree(model, tmp_path / "other")
    folder = ModelFolder.load(other)
    validation = predictions.read(files / "validation.parquet")
    people = set(
        zip(*(validation.table[n].to_pylist() for n in ("corpus", "subject")), strict=True)
    )
    known = tuple(provenance.subject(*key) for key in people)
    shutil.copytree(other, tmp_path / "taught")
    dataclasses.replace(folder, subjects=known).save(tmp_path / "taught")
    config = CalibrateConfig(files / "validation.parquet", str(tmp_path / "taught"))
    with pytest.raises(BuildError, match=r"not of these weights .* --split validation"):
        calibrate.calibrate(config)
    renamed = tmp_path / "v.parquet"
    shutil.copy(files / "validation.parquet", renamed)
    beside = json.loads((files / "validation.parquet.json").read_text())
    beside["settings"]["weights"] = identity.identify(str(tmp_path / "taught")).weights
    (tmp_path / "v.parquet.json").write_text(json.dumps(beside))
    with pytest.raises(BuildError, match="learned from 1 of its 1 subject; calibrate it on others"):
        calibrate.calibrate(CalibrateConfig(renamed, str(tmp_path / "taught")))


def test_the_command_tells_the_figures_before_and_after(model, files, tmp_path):
    folder = shutil.copytree(model, tmp_path / "model")
    words = [str(files / "validation.parquet"), "--model", str(folder)]
    done = CliRunner().invoke(calibrate_command.calibrate, words, catch_exceptions=False)
    fit = ModelFolder.load(folder).calibration
    for name, row in (("predicted", "as predicted"), ("night", "night decoded")):
        [line] = [line for line in done.output.splitlines() if line.strip().startswith(row)]
        assert line.split()[-2:] == [f"{fit.figures[name][key]:.3f}" for key in ("nll", "ece")]
    assert f"temperature {fit.temperature:g}; weight of transitions {fit.weight:g}" in done.output
