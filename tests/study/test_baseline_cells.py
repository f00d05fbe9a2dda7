"""Baselines as cells of a study: which factors they have, what they share, and how they are reported."""

import json

import pytest
import tiny
import yaml
from needed import need
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import methods
from psgimg.finetune.evaluation import evaluate
from psgimg.finetune.metrics import predictions
from psgimg.finetune.metrics.predictions import Predictions
from psgimg.finetune.study import baseline_cells, grid, plan, runs, study_report, table
from psgimg.finetune.study.study import StudyConfig, planned, study
from tiny_lab import describe, write_lab

DEMO = {"build": {"source": "demo"}, "sft": {"model": "tiny"}}


def written(folder, **values):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**DEMO, **values}, sort_keys=False), encoding="utf-8")
    return path


def cells_of(folder, **values):
    return plan.plan(grid.read(written(folder, **values)))


def staged(cells):
    return [cell for cell in cells if cell.prediction.command == "baseline"]


def value_of(step, option):
    words = step.words
    return [words[i + 1] for i, word in enumerate(words) if word == option]


def test_factors_of_models_and_pictures_have_no_effect_and_repeat_no_baseline(tmp_path):
    axes = {
        "baseline": ["none", "boosting-page", "yasa"],
        "style": ["paper", "clinical"],
        "prompt": ["closed", "aasm"],
        "context": [0],
        "sft.learning-rate": [1e-3],
        "mode": ["score"],
        "seed": [0, 1],
    }
    cells = cells_of(tmp_path, grid=axes)
    own = staged(cells)
    assert len(cells) == 8 + 2 + 1
    assert [(cell.factors["baseline"], cell.factors["seed"]) for cell in own] == [
        ("boosting-page", "0"),
        ("boosting-page", "1"),
        ("yasa", None),
    ]
    for cell in own:
        assert cell.training is None
        for name in ("style", "prompt", "context", "sft.learning_rate", "mode"):
            assert cell.factors[name] is None
    assert [value_of(cell.prediction, "--seed") for cell in own] == [["0"], ["1"], []]
    styles = {tuple(value_of(need, "--style")) for cell in own for need in cell.prediction.needs}
    assert styles == {("paper",)}, "the first style is drawn anyway"
    assert len([step for step in plan.steps(cells) if step.command == "build"]) == 2
    [line, other] = baseline_cells.without_effect([cell.factors for cell in cells])
    assert "boosting-page, shown as –: style, prompt, context, sft.learning-rate, mode" in line
    assert other.endswith("mode, seed")


def test_soft_labels_are_those_of_what_learns():
    assert baseline_cells.applies("sft.soft_labels", "usleep")
    assert not baseline_cells.applies("sft.soft_labels", "yasa")


def test_what_decides_signals_or_epochs_is_a_factor_of_a_baseline(tmp_path):
    axes = {
        "baseline": ["boosting"],
        "montage": ["central", "central-ecg"],
        "corrupt": ["none", "noise:snr_db=0"],
        "predict.split": ["validation", "test"],
        "train_subjects": [1, 2],
        "baseline.workers": [1],
    }
    cells = cells_of(tmp_path, grid=axes)
    assert len(cells) == len(staged(cells)) == 16
    assert all(None not in cell.factors.values() for cell in cells)
    last = cells[-1].prediction
    assert value_of(last, "--split") == ["test"]
    assert value_of(last, "--train-subjects") == ["2"]
    assert value_of(last, "--workers") == ["1"]
    clean, twin = value_of(last, "--dataset"), value_of(last, "--on")
    assert clean != twin
    made = {f"@/{need.made}": need for need in last.needs}
    assert "--corrupt" not in made[clean[0]].words
    assert value_of(made[twin[0]], "--corrupt") == ["noise:snr_db=0"]
    assert "--on" not in cells[0].prediction.words


def test_a_baseline_learns_from_and_stages_the_fold_of_its_cell(tmp_path):
    axes = {"baseline": ["none", "boosting-page"], "fold": [0, 1]}
    cells = cells_of(tmp_path, build={"source": "demo", "folds": 3}, grid=axes)
    own = staged(cells)
    assert [value_of(cell.prediction, "--fold") for cell in own] == [["0"], ["1"]]
    assert [cell.factors["fold"] for cell in own] == ["0", "1"]


def test_the_nights_of_a_cell_are_decoded_by_its_own_predictions_of_the_validation_split(tmp_path):
    axes = {"baseline": ["none", "boosting-page"], "decode": ["page", "night"], "fold": [1]}
    cells = cells_of(tmp_path, build={"source": "demo", "folds": 3}, grid=axes)
    assert [cell.factors["decode"] for cell in cells] == ["page", "night"] * 2
    for page, night in (cells[:2], cells[2:]):
        assert page.prediction.command in ("predict", "baseline")
        assert night.prediction.command == "calibrate"
        validation, test, built = night.prediction.needs
        assert test == page.prediction, "staged once"
        assert value_of(validation, "--split") == ["validation"]
        assert value_of(validation, "--fold") == value_of(night.prediction, "--fold") == ["1"]
        assert night.prediction.words[1] == f"@/{validation.made}"
        assert value_of(night.prediction, "--apply") == [f"@/{test.made}"]
        assert value_of(night.prediction, "--dataset") == [f"@/{built.made}"]
        assert night.prediction.made.endswith(".parquet")
        assert night.evaluation.words[1] == f"@/{night.prediction.made}"
    with pytest.raises(BuildError, match="decode: no value 'nights'; use page or night"):
        cells_of(tmp_path, grid={"decode": ["nights"]})
    with pytest.raises(
        BuildError, match="predict: decode can't be given, as a study sets it itself"
    ):
        cells_of(tmp_path, predict={"decode": "night"})


def test_a_study_of_baselines_needs_no_model(tmp_path):
    [cell] = cells_of(tmp_path, sft={}, cells=[{"baseline": "cnn"}])
    assert [step.command for step in plan.steps([cell])] == ["build", "baseline", "evaluate"]
    with pytest.raises(BuildError, match="no model; give sft"):
        cells_of(tmp_path, sft={}, grid={"baseline": ["none", "cnn"]})


def test_a_cell_keeps_its_step_whatever_other_cells_there_are(tmp_path):
    [alone] = cells_of(tmp_path, cells=[{"baseline": "cnn"}])
    first, *others = cells_of(tmp_path, cells=[{"baseline": "cnn"}, {}, {"baseline": "yasa"}])
    assert first.prediction.id == alone.prediction.id
    ids = [step.id for step in plan.steps([first, *others])]
    assert len(set(ids)) == len(ids)
    assert len({cell.evaluation.made for cell in (first, *others)}) == 3


ROOTS = {"shhs": "/data/shhs", "isruc": "/data/isruc", "mesa": "/elsewhere/mesa"}


@pytest.mark.parametrize(
    ("values", "roots"),
    [
        ({"build": {"source": "shhs", "root": "/data/shhs"}}, ["/data/shhs"]),
        ({"build": {"source": "shhs", "root": ROOTS}}, ["shhs=/data/shhs"]),  # no other is known to it
        ({"build": {"source": "demo"}}, []),
        (
            {"build": {"montage": "central", "root": ROOTS}, "corpus": {"train": "shhs", "test": "isruc"}},
            ["shhs=/data/shhs", "isruc=/data/isruc"],
        ),
        (
            {
                "build": {"montage": "central", "root": "/data/shhs"},
                "test_build": {"root": "/data/isruc"},
                "corpus": {"train": "shhs", "test": "isruc"},
            },
            ["shhs=/data/shhs", "isruc=/data/isruc"],
        ),
        (
            {"build": {"source": ["shhs", "isruc"], "montage": "central", "root": ["shhs=/a", "isruc=/b"]}},
            ["shhs=/a", "isruc=/b"],
        ),
        ({"build": {"source": "shhs", "root": "/data/shhs"}, "baseline": {"root": "/x"}}, ["/x"]),
        ({"dataset": "ORG/images", "baseline": {"root": {"shhs": "/data/shhs"}}}, ["shhs=/data/shhs"]),
    ],
)  # fmt: skip
def test_recordings_are_looked_for_where_the_builds_found_them(values, roots, tmp_path):
    factors = {name: values.pop(name) for name in ("corpus", "dataset") if name in values}
    [cell] = cells_of(tmp_path, cells=[{"baseline": "boosting", **factors}], **values)
    assert value_of(cell.prediction, "--root") == roots
    shown = "\n".join(plan.commands([cell]))
    assert not any(folder in shown for folder in ("/data", "/elsewhere", "=/", " /"))


def test_the_file_of_a_corpus_of_ones_own_is_handed_on(tmp_path):
    path = describe(tmp_path / "my-lab.yaml")
    write_lab(tmp_path / "recordings", minutes=5)
    root = {str(path): str(tmp_path / "recordings"), "shhs": "/data/shhs"}
    build = {"root": root, "montage": "central"}
    pair = {"train": "shhs", "test": str(path)}
    [cell] = cells_of(tmp_path, build=build, cells=[{"baseline": "cnn", "corpus": pair}])
    assert value_of(cell.prediction, "--source") == [str(path)]
    assert f"my-lab={tmp_path / 'recordings'}" in value_of(cell.prediction, "--root")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grid": {"baseline": ["svm"]}}, "baseline: no method 'svm'; use none, boosting, cnn"),
        ({"grid": {"baseline": [True]}}, "baseline: no method True"),
        ({"baseline": {"method": "cnn"}}, "baseline: method can't be given, as a study sets it"),
        ({"baseline": {"on": "x"}}, "baseline: on can't be given"),
        ({"baseline": {"worker": 2}}, "baseline: unknown option worker; use one of root, split"),
        ({"baseline": {"seed": -1}}, "baseline: --seed -1: give 0 to 4294967295"),
        ({"sft": {"train_subjects": 0}}, "baseline: --train-subjects 0: give 1 or more"),
    ],
)
def test_an_invalid_baseline_is_one_line(values, said, tmp_path):
    axes = {"cells": [{"baseline": "boosting"}]} if "grid" not in values else {}
    with pytest.raises(BuildError) as refused:
        cells_of(tmp_path, **axes, **values)
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "study.yaml"))


def test_a_missing_library_is_refused_before_anything_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(baseline_cells, "find_spec", lambda name: None)
    path = written(tmp_path, cells=[{"baseline": "yasa"}])
    with pytest.raises(BuildError, match=r"baseline yasa: yasa is missing; install with: pip"):
        planned(StudyConfig(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


# The runs and the report


def finish(out, step, write=None):
    """Leave what a finished step leaves."""
    path = out / runs.STEPS / f"{step.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    took = {"seconds": 2.0, "cpu_seconds": 1.5, "interrupted": False}
    path.write_text(json.dumps({"words": list(step.words), **took}), encoding="utf-8")
    if write:
        write(out / step.made)


def answered(path, wrong, beside):
    rows = [
        {"corpus": "shhs", "subject": f"s{i}", "recording": f"r{i}", "epoch": j}
        | {"label": STAGE_NAMES[j % 5], "prediction": STAGE_NAMES[(j + (j % wrong == 0)) % 5]}
        for i in range(3)
        for j in range(40)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions.write(path, Predictions.from_rows(rows))
    path.with_name(f"{path.name}.json").write_text(json.dumps(beside))


def finish_cell(out, cell):
    """Leave a model's or a baseline's predictions and their evaluation."""
    method = cell.factors["baseline"]
    beside = {"settings": {"context": 0}}
    if method != "none":
        beside = methods.METHODS[method].disclosure(["shhs"])
    wrong = 2 + len(method)
    finish(out, cell.prediction, lambda path: answered(path, wrong, beside))
    config = evaluate.EvaluateConfig((out / cell.prediction.made,))
    finish(out, cell.evaluation, lambda path: evaluate.write(path, evaluate.evaluate(config)))


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    """A study of a model and three baselines, over two seeds, all of it done."""
    tmp_path = tmp_path_factory.mktemp("tabled")
    axes = {"baseline": ["none", "boosting", "boosting-page", "yasa"], "seed": [0, 1]}
    design = grid.read(written(tmp_path, grid=axes))
    cells = plan.plan(design)
    for cell in cells:
        if cell.training:
            finish(tmp_path / "out", cell.training)
        finish_cell(tmp_path / "out", cell)
    values = table.collect(design, cells, tmp_path / "out")
    study_report.write(tmp_path / "out", values)
    return values, (tmp_path / "out" / "report.md").read_text()


def test_a_baseline_has_its_row_intervals_and_paired_effect(tabled):
    values, report = tabled
    assert [setting["name"] for setting in values["settings"]] == [
        "baseline none",
        "baseline boosting",
        "baseline boosting-page",
        "baseline yasa",
    ]
    assert [len(setting["cells"]) for setting in values["settings"]] == [2, 2, 2, 1]
    for setting in values["settings"]:
        figure = setting["figures"]["kappa"]
        same = figure["reason"] == "the same in every subject"
        assert same or figure["low"] <= figure["value"] <= figure["high"]
    effects = {effect["value"]: effect["pairs"] for effect in values["effects"]}
    assert effects == {"boosting": 2, "boosting-page": 2, "yasa": 2}
    assert "| baseline yasa |" in report
    assert "prediction include its training" in report


def test_the_report_says_what_each_saw_and_whose_people(tabled):
    values, report = tabled
    assert "the model saw one page; boosting saw the epoch, 7 neighbouring" in report
    assert "boosting-page saw one page" in report
    assert "yasa has seen people of shhs" in report
    assert report.count("has seen people") == 1
    assert values["saw"] == ""


def test_a_study_without_baselines_says_nothing_of_them(tmp_path):
    design = grid.read(written(tmp_path, grid={"baseline": ["none"]}))
    [cell] = plan.plan(design)
    finish(tmp_path / "out", cell.training)
    finish_cell(tmp_path / "out", cell)
    values = table.collect(design, [cell], tmp_path / "out")
    assert (values["saw"], values["notes"]) == ("one page", [])
    study_report.write(tmp_path / "out", values)
    assert "CPU seconds of prediction include" not in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.timeout(900)  # three commands, one of which compiles the features
def test_a_baseline_is_run_once_by_whichever_part_has_it(tmp_path):
    """The real commands."""
    need("yasa")
    tiny.write_shhs(tmp_path / "shhs", n_subjects=2, visits=(1,), minutes=6)
    build = {"source": "shhs", "splits": "1/0/1", "montage": "central", "trim": "none"}
    build["root"] = {"shhs": str(tmp_path / "shhs")}
    path = written(tmp_path, sft={}, build=build, cells=[{"baseline": "yasa"}])
    out = tmp_path / "out"
    first = study(StudyConfig(path, out, Part(2, 2)), Remembered())
    assert [cell["state"] for cell in first["cells"]] == ["not run"]
    told = Remembered()
    values = study(StudyConfig(path, out, Part(1, 2)), told)
    ran = [note.split()[1] for note in told.notes if note.startswith("psgimg ")]
    assert ran == ["build", "baseline", "evaluate"]
    assert [cell["state"] for cell in values["cells"]] == ["done"]
    assert values["cells"][0]["counts"]["subjects"] == 1
    report = (out / "report.md").read_text()
    assert "yasa has seen people of shhs" in report
    assert str(tmp_path) not in report
    again = Remembered()
    assert study(StudyConfig(path, out), again) == values
    assert not [note for note in again.notes if note.startswith("psgimg ")]
