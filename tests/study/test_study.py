"""Study: a grid read strictly, steps shared and done once, killed and gone on with, and its table."""

import csv
import fcntl
import itertools
import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import builds
import extra_metric
import numpy as np
import pytest
import tiny
import yaml
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENCE_S
from progress import Remembered
from psgimg.builder.command_options import kebab
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.terminal.build_commands import build as build_command
from psgimg.finetune.evaluation import evaluate
from psgimg.finetune.evaluation.intervals import intervals
from psgimg.finetune.inference.predict_config import PredictConfig
from psgimg.finetune.metrics import metric_table, metrics, predictions
from psgimg.finetune.metrics.predictions import Predictions
from psgimg.finetune.study import (
    content_hash,
    grid,
    plan,
    pooling,
    runs,
    study_report,
    table,
)
from psgimg.finetune.study import study as study_module
from psgimg.finetune.study.plan import Cell
from psgimg.finetune.study.runs import Runner
from psgimg.finetune.study.step import FOLDERS, Step
from psgimg.finetune.study.study import StudyConfig, study
from psgimg.finetune.terminal import show_study
from psgimg.finetune.training.psg_arguments import PsgArguments
from rich.console import Console

STUDIES = Path(__file__).resolve().parents[2] / "docs/studies"
BASE = {"build": {"source": "demo"}, "sft": {"model": "tiny"}}


def written(folder, **values):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**BASE, **values}, sort_keys=False), encoding="utf-8")
    return path


def cells_of(folder, **values):
    return plan.plan(grid.read(written(folder, **values)))


def commands(cells, command):
    return [step for step in plan.steps(cells) if step.command == command]


# The grid


@given(
    st.dictionaries(
        st.sampled_from(["style", "context", "seed", "sft.x"]),
        st.sets(st.integers(0, 9), min_size=1, max_size=3).map(sorted),
        max_size=4,
    )
)
def test_a_grid_has_every_combination_once_and_the_last_factor_changes_first(values):
    found = grid.product(values)
    assert len(found) == np.prod([len(one) for one in values.values()], dtype=int)
    assert [tuple(cell.values()) for cell in found] == list(itertools.product(*values.values()))
    assert all(list(cell) == list(values) for cell in found)


def test_cells_are_multiplied_by_the_grid_and_the_same_one_is_there_once(tmp_path):
    cells = [{}, {"style": "paper"}, {"style": ["paper", "sleepvlm"]}]
    found = grid.read(written(tmp_path, cells=cells, grid={"seed": [0, 1]}))
    assert [(cell.get("style"), cell["seed"]) for cell in found.cells] == [
        *((None, 0), (None, 1), ("paper", 0), ("paper", 1), ("sleepvlm", 0), ("sleepvlm", 1))
    ]
    assert found.factors == ("style", "seed")


def test_every_factor_with_a_short_name_is_an_option_of_its_command():
    known = {
        "build": {option.name for option in build_command.params},
        "sft": {*vars(PsgArguments()), "seed"},
        "predict": set(PredictConfig.__dataclass_fields__),
    }
    for factor, place in grid.FACTORS.items():
        section, _, option = place.partition(".")
        assert option in known[section], factor


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gird": {}}, "unknown key gird; use one of name, build"),
        ({"grid": {"stile": ["paper"]}}, "grid: unknown factor stile; did you mean style?"),
        ({"grid": {"style": "paper"}}, "grid: style: 'paper' is not a list; write [paper]"),
        ({"grid": {"style": []}}, "grid: style: the list is empty"),
        ({"grid": {"style": [None]}}, "grid: style: a value is missing"),
        ({"grid": {"sft.seed": [1]}}, "sft.seed has the short name seed; use that"),
        ({"grid": {"seed": [{"a": 1}]}}, "{'a': 1} is not a valid value"),
        ({"grid": {"zero_shot": ["yes"]}}, "'yes' is not a boolean; write true or false"),
        ({"grid": {"style": ["paper"]}, "cells": [{"style": "paper"}]}, "style is in grid already"),
        ({"cells": {"style": "paper"}}, "cells: expected a list"),
        ({"sft": ["model"]}, "sft: expected `name: value` lines"),
        ({"name": ["a"]}, "name: ['a'] is not one line"),
        ({"grid": {"style": ["clincal"]}}, "build: no style 'clincal'"),
        ({"grid": {"corpus": ["shsh"]}}, "build: no corpus 'shsh'"),
        ({"build": {"source": "demo", "montge": "aasm"}}, "No such option '--montge'"),
        ({"build": {"source": "demo", "push": True}}, "build: push can't be given"),
        ({"build": {"source": "demo", "splits": "80"}}, "build: --splits '80'"),
        ({"build": {}}, "nothing to build; give build: {source: …}"),
        ({"sft": {}}, "no model; give sft: {model: …}"),
        ({"sft": {"model": "tiny", "output_dir": "x"}}, "sft: output-dir can't be given"),
        ({"predict": {"mod": "score"}}, "predict: unknown option mod; use one of split"),
        ({"grid": {"mode": ["guess"]}}, "predict: --mode 'guess'"),
        ({"grid": {"zero_shot": [False, True]}}, "zero-shot: tiny has random weights"),
        ({"grid": {"dataset": ["there"], "corrupt": ["noise:snr_db=0"]}}, "is built already"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_invalid_study_is_one_line_naming_file_key_and_value(tmp_path, values, said):
    with pytest.raises(BuildError) as refused:
        cells_of(tmp_path, **values)
    message = str(refused.value)
    assert said in message
    assert message.startswith(str(tmp_path / "study.yaml"))
    assert "\n" not in message


def test_a_file_that_is_no_yaml_is_one_line(tmp_path):
    (tmp_path / "study.yaml").write_text("grid: [", encoding="utf-8")
    (tmp_path / "octal.yaml").write_text("grid: {train_subjects: [0010]}", encoding="utf-8")
    for name, said in (
        ("study.yaml", "study.yaml, line 1: not YAML"),
        ("none.yaml", "none.yaml: No such file"),
        ("octal.yaml", "octal.yaml, line 1: YAML reads 0010 as 8"),
    ):
        with pytest.raises(BuildError, match=said):
            grid.read(tmp_path / name)


def test_an_option_that_sft_does_not_know_is_refused_before_anything_is_built(tmp_path):
    pytest.importorskip("trl")
    path = written(tmp_path, sft={"model": "tiny", "learning_rat": 1e-3})
    with pytest.raises(
        BuildError, match=r"study.yaml: sft: unknown option --learning-rat; did you"
    ):
        study(StudyConfig(path, tmp_path / "out"), Remembered())
    assert not (tmp_path / "out").exists()


def test_keys_options_and_factors_are_the_same_with_dashes_and_underscores(tmp_path):
    spelt = {
        "test_build": {"split_file": "a.csv"},
        "sft": {"model": "m", "max_steps": 3},
        "predict": {"any_recipe": True},
        "grid": {"train_subjects": [1, 2], "zero_shot": [False], "sft.learning_rate": [0.1]},
    }

    def dashed(values):
        return {
            k.replace("_", "-"): dashed(v) if isinstance(v, dict) else v for k, v in values.items()
        }

    own, other = cells_of(tmp_path, **spelt), cells_of(tmp_path, **dashed(spelt))
    assert own == other
    assert {"--max-steps", "--learning-rate", "--train-subjects"} <= set(own[0].training.words)
    assert "--any-recipe" in own[0].prediction.words


def test_a_key_in_both_spellings_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"study\.yaml: sft: max-steps is given twice"):
        cells_of(tmp_path, sft={"model": "tiny", "max_steps": 3, "max-steps": 4})


def test_every_key_and_factor_is_in_the_document():
    said = (STUDIES / "README.md").read_text(encoding="utf-8")
    for name in (*grid.KEYS, *grid.FACTORS, *grid.SPECIAL):
        assert f"`{kebab(name)}`" in said, name


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_of_the_documents_can_be_planned(path):
    assert plan.plan(grid.read(path))


# The plan


def test_cells_share_what_is_the_same_for_them(tmp_path):
    axes = {"style": ["clinical", "paper"], "mode": ["score", "generate"], "seed": [0, 1]}
    cells = cells_of(tmp_path, grid=axes)
    counts = {name: len(commands(cells, name)) for name in FOLDERS}
    never = {"calibrate": 0, "explain": 0}
    assert counts == {"build": 2, "sft": 4, "predict": 8, "evaluate": 8, **never}
    for step in plan.steps(cells):
        assert {f"@/{need.made}" for need in step.needs} <= set(step.words)


def test_only_steps_that_depend_on_a_setting_get_another_name(tmp_path):
    before, after = (
        {step.id for step in plan.steps(cells_of(tmp_path, grid={"seed": seeds}))}
        for seeds in ([0], [0, 1])
    )
    assert before < after
    style = tmp_path / "style.yaml"
    style.write_text("base: paper\n", encoding="utf-8")
    first = cells_of(tmp_path, grid={"style": [str(style)]})
    style.write_text("base: clinical\n", encoding="utf-8")
    content_hash._content.cache_clear()
    second = cells_of(tmp_path, grid={"style": [str(style)]})
    assert not {step.id for step in plan.steps(first)} & {step.id for step in plan.steps(second)}
    assert second[0].factors == {"style": "style.yaml"}


@pytest.mark.parametrize(("option", "told"), [("dataset", "build.json"), ("model", "config.json")])
def test_a_rebuilt_folder_gives_another_step(tmp_path, option, told):
    folder = tmp_path / "there"
    folder.mkdir()
    found = []
    for text in ("{}", '{"a": 1}'):
        (folder / told).write_text(text, encoding="utf-8")
        content_hash._content.cache_clear()
        cells = cells_of(tmp_path, grid={option: [str(folder)]})
        found.append({step.id for step in plan.steps(cells) if step.command != "build"})
    assert not found[0] & found[1]


def test_an_untrained_model_predicts_once_whatever_the_training_options(tmp_path):
    axes = {
        "zero_shot": [True, False],
        "train_subjects": [1, 3],
        "seed": [0, 1],
        "prompt": ["closed", "aasm"],
    }
    cells = cells_of(tmp_path, sft={"model": "ORG/model"}, grid=axes)
    untaught = [cell for cell in cells if cell.training is None]
    assert [cell.factors["prompt"] for cell in untaught] == ["closed", "aasm"]
    assert all(cell.factors["seed"] is cell.factors["train_subjects"] is None for cell in untaught)
    words = untaught[1].prediction.words
    assert words[1:3] == ("--model", "ORG/model")
    assert words[words.index("--prompt") + 1] == "aasm"
    assert len(cells) == 2 + 8


def test_from_corpus_to_corpus_training_and_test_corpora_differ(tmp_path):
    pair = {"train": "shhs", "test": "isruc"}
    cells = cells_of(
        tmp_path,
        build={"montage": "central", "root": {"shhs": "/data/shhs", "isruc": "/data/isruc"}},
        test_build={"splits": "0/0/100"},
        grid={"corpus": ["shhs", pair]},
    )
    own, other = cells
    assert [cell.factors["corpus"] for cell in cells] == ["shhs", "shhs → isruc"]
    assert own.training == other.training
    (taught,), asked = own.training.needs, other.prediction.needs[1]
    assert taught == own.prediction.needs[1]
    assert "/data/shhs" in taught.words
    assert "--splits" not in taught.words
    assert {"/data/isruc", "0/0/100"} <= set(asked.words)
    assert "/data" not in "\n".join(plan.commands(cells))


def test_corruption_applies_to_test_pages_only(tmp_path):
    clean, noisy = cells_of(tmp_path, grid={"corrupt": ["none", "noise:snr_db=0"]})
    assert clean.training == noisy.training
    assert "--corrupt" not in noisy.training.needs[0].words
    words = noisy.prediction.needs[1].words
    assert words[words.index("--corrupt") + 1] == "noise:snr_db=0"


def test_a_twin_of_a_dataset_with_variants_has_none(tmp_path):
    build = {"source": "demo", "variants": ["labs", "noise"]}
    clean, noisy = cells_of(tmp_path, build=build, grid={"corrupt": ["none", "hum"]})
    assert clean.training == noisy.training
    assert clean.training.needs[0].words.count("--variants") == 2
    assert "--variants" not in noisy.prediction.needs[1].words


def test_an_existing_dataset_is_not_built(tmp_path):
    cells = cells_of(
        tmp_path, build={}, grid={"dataset": ["ORG/images", {"train": "a", "test": "b"}]}
    )
    assert not commands(cells, "build")
    assert cells[1].training.words[1:3] == ("--dataset", "a")
    assert cells[1].prediction.words[3:5] == ("--dataset", "b")


def test_parts_together_are_all_cells_once(tmp_path):
    cells = cells_of(tmp_path, grid={"seed": list(range(7))})
    parts = [Part(number, 3).every_nth(cells) for number in (1, 2, 3)]
    assert sorted((cell for part in parts for cell in part), key=cells.index) == cells


# The runs


@pytest.fixture(scope="module")
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


def answers(n_subjects=3, wrong=0.2, seed=0, n_epochs=40):
    """Rows of predictions, some of them wrong by chance."""
    rng = np.random.default_rng(7)  # the same epochs whatever the seed
    labels = rng.integers(0, 5, (n_subjects, n_epochs))
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(labels.shape) < wrong, rng.integers(0, 5, labels.shape), labels)
    return [
        {"corpus": "c", "subject": f"s{i}", "recording": f"r{i}", "epoch": j}
        | {"label": STAGE_NAMES[labels[i, j]], "prediction": STAGE_NAMES[said[i, j]]}
        for i in range(n_subjects)
        for j in range(n_epochs)
    ]


def finish(out, step, made=None):
    """Leave what a finished step leaves."""
    path = out / runs.STEPS / f"{step.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    took = {"seconds": 2.0, "cpu_seconds": 1.5, "interrupted": False}
    path.write_text(json.dumps({"words": list(step.words), **took}), encoding="utf-8")
    if made is not None:
        made(out / step.made)


def finished(out, cells, rows_of):
    """Finish cells with these predictions and their true evaluations."""
    for cell in cells:
        rows = Predictions.from_rows(rows_of(cell))
        finish(out, cell.training)
        finish(out, cell.prediction, lambda path, rows=rows: predictions.write(path, rows))
        config = evaluate.EvaluateConfig((out / cell.prediction.made,))
        finish(
            out, cell.evaluation, lambda path, c=config: evaluate.write(path, evaluate.evaluate(c))
        )


DIES = """
import os, signal, sys

def dies(event, arguments):
    if event == "os.mkdir" and str(arguments[0]).endswith("checkpoint-2"):
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(dies)
"""
"""What Python runs first in every process, so that a training with one checkpoint kills its study."""


@pytest.mark.timeout(900)  # six commands, each of which loads torch
def test_a_killed_study_resumes_from_its_checkpoint_and_then_has_nothing_to_do(
    tmp_path, surroundings
):
    """The real commands: one cell is taught, asked and evaluated, and one has no recordings."""
    pytest.importorskip("trl")
    tiny.write_shhs(tmp_path / "shhs", n_subjects=4, visits=(1,), minutes=6)
    path = written(
        tmp_path,
        build={"style": "paper", "splits": "1/1/2", "seed": 3, "trim": "none", "montage": "central", "root": {"shhs": str(tmp_path / "shhs"), "isruc": str(tmp_path / "none")}},
        sft={"model": "tiny", "max_steps": 12, "save_steps": 1, "eval_strategy": "no", "per_device_train_batch_size": 1, "dataloader_num_workers": 0},
        grid={"corpus": ["shhs", {"train": "shhs", "test": "isruc"}]},
    )  # fmt: skip
    out = tmp_path / "out"
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(DIES)
    killed = subprocess.run(
        [*builds.PSGIMG, "study", str(path), "--out", str(out)],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "first")},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert list(out.glob("models/*/checkpoint-1/trainer_state.json"))
    assert not list(out.glob("models/*/README.md"))

    told = Remembered()
    values = study(StudyConfig(path, out), told)
    ran = [note for note in told.notes if note.startswith("psgimg ")]
    assert [words.split()[1] for words in ran] == ["sft", "predict", "evaluate", "build"]
    assert "--resume-from-checkpoint true" in ran[0]
    done, aside = values["cells"]
    assert (done["state"], aside["state"]) == ("done", "failed")
    assert aside["reason"].startswith("build: isruc: folder ")
    assert "not found; give --root" in aside["reason"]
    assert f"set aside: corpus shhs → isruc: {aside['reason']}" in told.notes
    assert done["cost"]["training"]["interrupted"] is True
    found = predictions.read(out / done["predictions"])
    expected = metric_table.summary(metrics.confusion(found.labels, found.predictions))
    assert done["figures"]["kappa"]["value"] == pytest.approx(expected["kappa"], abs=1e-12)

    before = {path: path.stat().st_mtime_ns for path in (out / "models").rglob("*")}
    rested = subprocess.run(
        [*builds.PSGIMG, "study", str(path), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rested.returncode == 1
    assert rested.stderr == "Error: 1 of 2 cells set aside; run again to retry them\n"
    assert "psgimg sft" not in rested.stdout
    assert {path: path.stat().st_mtime_ns for path in (out / "models").rglob("*")} == before


@pytest.mark.parametrize(
    ("running", "started", "refused"),
    [
        ((1, 1), (1, 1), True),
        ((1, 1), (2, 2), True),
        ((2, 2), (1, 1), True),
        ((2, 2), (2, 2), True),
        ((1, 2), (2, 2), False),
    ],
)
def test_of_two_studies_in_a_folder_one_goes_on_unless_they_run_different_parts(
    tmp_path, running, started, refused
):
    path = written(tmp_path)
    first, second = (
        StudyConfig(path, tmp_path / "out", Part(*part)) for part in (running, started)
    )
    with study_module.alone(first):
        if not refused:
            with study_module.alone(second):
                pass
            return
        with pytest.raises(BuildError, match=r"another psgimg study is running in .*out; wait"):
            study(second, Remembered())
    assert list((tmp_path / "out").rglob("*.lock")) == []


def test_a_step_that_another_process_does_is_waited_for_and_not_done_twice(tmp_path):
    asked = Step("evaluate", ("evaluate", "@/none.csv"), "evaluate-x", "evaluations/x", ())
    cell = Cell({}, (), None, asked, asked)
    lock = tmp_path / runs.STEPS / "evaluate-x.lock"
    lock.parent.mkdir()
    told, waited = Remembered(), threading.Event()
    told.heard = lambda note: waited.set() if note.startswith("waiting for") else None
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=Runner(tmp_path, told).run, args=([cell],))
        waiting.start()
        assert waited.wait(PATIENCE_S)
        finish(tmp_path, asked, lambda path: path.mkdir(parents=True))
        (tmp_path / asked.finished).touch()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert told.notes == ["waiting for another process that runs evaluate-x"]


def test_a_failed_command_is_retried_in_the_next_run_only(tmp_path):
    missing = Step("evaluate", ("evaluate", "@/none.csv"), "evaluate-x", "evaluations/x", ())
    cells = [
        Cell(
            {"seed": str(i)},
            ("seed",),
            None,
            Step("evaluate", ("evaluate",), f"e-{i}", f"e/{i}", (missing,)),
            missing,
        )
        for i in range(2)
    ]
    for _ in range(2):
        told = Remembered()
        Runner(tmp_path, told).run(cells)
        assert sum(note.startswith("psgimg ") for note in told.notes) == 1
        aside = [note.removeprefix("set aside: ") for note in told.notes if "set aside" in note]
        assert [one.partition(": ")[0] for one in aside] == ["seed 0", "seed 1"]
        assert "none.csv" in aside[0]
    assert runs.read_mark(tmp_path, missing)["failed"] == aside[0].partition(": ")[2]
    assert not runs.is_done(tmp_path, missing)


def test_predictions_of_a_model_retrained_since_are_not_resumed(tmp_path):
    [cell] = cells_of(tmp_path)
    made, model = (tmp_path / one.made for one in (cell.prediction, cell.training))
    beside, parts = made.with_name(f"{made.name}.json"), made.with_name(f"{made.name}.parts")
    parts.mkdir(parents=True)
    model.mkdir(parents=True)
    for path in (made, beside, model / "README.md"):
        path.write_text("")
    os.utime(model / "README.md", (1, 1))
    runs._resume_words(tmp_path, cell.prediction)
    assert all(path.exists() for path in (made, beside, parts))
    os.utime(model / "README.md", (2**32, 2**32))
    runs._resume_words(tmp_path, cell.prediction)
    assert not any(path.exists() for path in (made, beside, parts))


def test_a_step_is_only_done_with_its_mark_its_words_and_what_it_made(tmp_path):
    step = Step("build", ("build", "--out", "@/builds/a"), "build-a", "builds/a", ())
    assert not runs.is_done(tmp_path, step)
    finish(tmp_path, step)
    assert not runs.is_done(tmp_path, step)
    (tmp_path / "builds/a").mkdir(parents=True)
    (tmp_path / step.finished).touch()
    assert runs.is_done(tmp_path, step)
    assert not runs.is_done(tmp_path, Step("build", ("build",), "build-a", "builds/a", ()))


# The table


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    """Two styles of two seeds, finished; the second style answers better."""
    out = tmp_path_factory.mktemp("tabled")
    asked = grid.read(written(out, grid={"style": ["paper", "clinical"], "seed": [0, 1]}))
    cells = plan.plan(asked)

    def rows(cell):
        wrong = 0.5 if cell.factors["style"] == "paper" else 0.1
        return answers(wrong=wrong, seed=int(cell.factors["seed"]))

    finished(out, cells, rows)
    return asked, cells, out, table.collect(asked, cells, out)


def test_settings_are_means_over_seeds_with_intervals_over_subjects(tabled):
    _, _, _, values = tabled
    first, second = values["settings"]
    assert first["factors"] == {"style": "paper"}
    for name, figure in first["figures"].items():
        single = [cell["figures"][name]["value"] for cell in values["cells"][:2]]
        assert figure["seeds"] == pytest.approx(single, abs=1e-12)
        assert figure["value"] == pytest.approx(np.mean(single), abs=1e-12)
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert first["subjects"] == second["subjects"] == 3


def test_what_people_agree_on_the_same_epochs_stands_below_the_settings_once(tmp_path):
    asked = grid.read(written(tmp_path, grid={"style": ["paper", "clinical"]}))
    planned = plan.plan(asked)

    def rows(_):
        told = {"label_2": "N2", "votes": "0 1 4 0 0"}
        return [{**row, **told} for row in answers(wrong=0.1)]

    finished(tmp_path, planned, rows)
    values = table.collect(asked, planned, tmp_path)
    assert [(one["name"], one["epochs"]) for one in values["people"]] == [
        ("second scorer", 120),
        ("each scorer against the others", 120),
    ]
    report = study_report.page(values, [])
    assert report.count("| *second scorer, 120 epochs* |") == 1
    heads = report.index("| setting |"), report.index("| *each scorer against")
    assert len({report[at:].partition("\n")[0].count("|") for at in heads}) == 1, "as many cells"


def test_a_setting_tests_the_claims_of_each_of_its_seeds(tmp_path):
    cells = [{"claim": "a", "seed": 0}, {"claim": "b", "seed": 1}, {"context": 1, "seed": 0}]
    asked = grid.read(written(tmp_path, cells=cells))
    planned = plan.plan(asked)
    finished(tmp_path, planned, lambda cell: answers(wrong=0.1, seed=int(cell.factors["seed"])))
    first, second = table.collect(asked, planned, tmp_path)["settings"]
    assert (first["claims"], second["claims"]) == (["a", "b"], [])


def test_the_folds_of_a_cross_validation_are_one_setting_of_all_people(tmp_path):
    asked = grid.read(written(tmp_path, grid={"fold": [0, 1, 2], "seed": [0, 1]}))
    cells = plan.plan(asked)
    for cell in cells:
        fold = cell.factors["fold"]
        words = (cell.training.words, cell.prediction.words)
        assert [one[one.index("--fold") + 1] for one in words] == [fold, fold]

    def rows(cell):
        tested = {f"s{k}" for k in range(6) if k % 3 == int(cell.factors["fold"])}
        found = answers(n_subjects=6, seed=int(cell.factors["seed"]))
        return [row for row in found if row["subject"] in tested]

    finished(tmp_path, cells, rows)
    values = table.collect(asked, cells, tmp_path)
    (setting,) = values["settings"]
    assert setting["subjects"] == 6
    assert len(setting["cells"]) == 6
    assert values["effects"] == []
    whole = [answers(n_subjects=6, seed=seed) for seed in (0, 1)]
    right = [np.mean([row["label"] == row["prediction"] for row in one]) for one in whole]
    assert setting["figures"]["accuracy"]["seeds"] == pytest.approx(right)
    with pytest.raises(BuildError, match="sft has the fold 1 and predict the fold 0"):
        cells_of(tmp_path, sft={"model": "tiny", "fold": 1}, predict={"fold": 0})


def test_a_metric_that_is_added_to_the_table_is_in_the_study(tabled, tmp_path, monkeypatch):
    asked, cells, out, _ = tabled
    extra = extra_metric.add(monkeypatch)
    values = table.collect(asked, cells, out)  # evaluated before the metric was known
    study_report.write(tmp_path, values)
    page = (tmp_path / study_report.PAGE).read_text(encoding="utf-8")
    assert page.count("| accuracy | N3 found | macro-F1 | kappa |") == 2
    assert study_report.interval(values["settings"][0]["figures"][extra.key]) in page
    rows = list(csv.DictReader((tmp_path / study_report.ROWS).read_text().splitlines()))
    assert {row["n3_found"] for row in rows} == {""}
    assert all(row["accuracy"] for row in rows)
    with (console := Console(width=200)).capture() as captured:
        show_study.show_study(console, values, tmp_path)
    assert re.search(r"accuracy +N3 found +macro-F1 +kappa", captured.get())


def test_a_mean_over_seeds_that_answer_alike_has_the_interval_of_one(tmp_path):
    predictions.write(tmp_path / "p.csv", Predictions.from_rows(answers(n_subjects=6)))
    one = pooling.read(tmp_path / "p.csv")
    assert pooling.means([one]) == pooling.means(
        [one] * 4
    )  # four seeds are not four times the people
    assert intervals(one.tables) == pooling.means([one])


def test_an_effect_is_the_mean_difference_of_otherwise_equal_pairs(tabled):
    _, _, _, values = tabled
    (effect,) = values["effects"]
    assert (effect["reference"], effect["value"], effect["pairs"]) == ("paper", "clinical", 2)
    singles = [cell["figures"]["accuracy"]["value"] for cell in values["cells"]]
    found = effect["figures"]["accuracy"]
    expected = np.mean(singles[2:]) - np.mean(singles[:2])
    assert found["difference"] == pytest.approx(expected, abs=1e-12)
    assert 0 < found["low"] < found["difference"] < found["high"]


def test_settings_are_compared_under_each_corruption_by_itself(tmp_path):
    """Taught with lanes left out, a model bears noise better; as recorded, both answer alike."""
    asked = grid.read(
        written(
            tmp_path,
            cells=[{}, {"augment": "lanes"}],
            grid={"corrupt": ["none", "noise"], "seed": [0, 1]},
        )
    )
    cells = plan.plan(asked)

    def rows(cell):
        noisy = cell.factors["corrupt"] == "noise"
        wrong = 0.1 if not noisy else 0.2 if cell.factors["augment"] == "lanes" else 0.6
        return answers(wrong=wrong, seed=int(cell.factors["seed"]))

    finished(tmp_path, cells, rows)
    values = table.collect(asked, cells, tmp_path)
    clean, noisy = values["robustness"]
    assert [one["corruption"] for one in (clean, noisy)] == ["none", "noise"]
    assert [one["name"] for one in noisy["settings"]] == ["base", "augment lanes"]
    for one in (clean, noisy):
        before, after = one["settings"]
        assert before["differences"] is None
        found = after["differences"]["accuracy"]
        two = after["figures"]["accuracy"]["value"] - before["figures"]["accuracy"]["value"]
        assert found["difference"] == pytest.approx(two, abs=1e-12)
    assert clean["settings"][1]["differences"]["accuracy"]["difference"] == 0
    assert noisy["settings"][1]["differences"]["accuracy"]["low"] > 0
    page = study_report.page(values, [])
    [line] = [line for line in page.splitlines() if line.startswith("| noise |")][:1]
    assert line.count(" [") == 3
    assert line.endswith(" | 3 |")


def test_a_setting_keeps_its_column_where_it_has_no_figures_or_other_epochs(tmp_path):
    asked = grid.read(
        written(
            tmp_path,
            cells=[{}, {"augment": "lanes"}, {"augment": "flip"}],
            grid={"corrupt": ["none", "noise"]},
        )
    )
    cells = plan.plan(asked)

    def noisy(cell, augment):
        return cell.factors["corrupt"] == "noise" and cell.factors["augment"] == augment

    done = [cell for cell in cells if not noisy(cell, "flip")]
    finished(tmp_path, done, lambda cell: answers(n_subjects=4 if noisy(cell, "lanes") else 3))
    rows = table.collect(asked, cells, tmp_path)["robustness"]
    names = [[one["name"] for one in row["settings"]] for row in rows]
    assert names[0] == names[1]
    _, lanes, flip = rows[1]["settings"]
    assert lanes["figures"]
    assert lanes["differences"] is None, "of other epochs"
    assert flip["figures"] is flip["differences"] is None
    page = study_report.page(table.collect(asked, cells, tmp_path), [])
    [line] = [line for line in page.splitlines() if line.startswith("| noise |")][:1]
    assert line.count("–") == 3


def test_a_study_without_corruption_has_no_section_on_it(tabled):
    assert tabled[3]["robustness"] == []
    assert "Under each corruption" not in study_report.page(tabled[3], [])


def test_an_effect_is_of_the_folds_that_both_have_evaluated_together(tmp_path):
    axes = {"style": ["paper", "clinical"], "fold": [0, 1, 2]}
    asked = grid.read(written(tmp_path, grid=axes))
    cells = plan.plan(asked)
    wrong = {"paper": 0.1, "clinical": 0.4}
    whole = {style: answers(n_subjects=6, wrong=rate) for style, rate in wrong.items()}

    def rows(cell):
        tested = {f"s{k}" for k in range(6) if k % 3 == int(cell.factors["fold"])}
        return [row for row in whole[cell.factors["style"]] if row["subject"] in tested]

    finished(tmp_path, cells, rows)
    (effect,) = table.collect(asked, cells, tmp_path)["effects"]
    assert (effect["pairs"], effect["other_epochs"], effect["subjects"]) == (1, 0, 6)
    joined = {}
    for style, one in whole.items():
        predictions.write(tmp_path / f"{style}.csv", Predictions.from_rows(one))
        joined[style] = pooling.read(tmp_path / f"{style}.csv").figures
    for name, found in effect["figures"].items():
        assert found["difference"] == pytest.approx(
            joined["clinical"][name] - joined["paper"][name]
        )


@pytest.mark.parametrize("cells", [[{"fold": 0}, {}], [{}, {"fold": 0, "seed": 3}]])
def test_a_setting_is_not_tested_on_folds_and_on_the_split_too(tmp_path, cells):
    with pytest.raises(
        BuildError, match="some cells have a fold and others, otherwise equal, have none"
    ):
        cells_of(tmp_path, cells=cells)
    cells_of(tmp_path, cells=[{"fold": 0}, {"context": 1}])


def test_cells_that_answer_the_same_differ_by_nothing(tmp_path):
    asked = grid.read(written(tmp_path, grid={"style": ["paper", "clinical"]}))
    cells = plan.plan(asked)
    finished(tmp_path, cells, lambda cell: answers())
    (effect,) = table.collect(asked, cells, tmp_path)["effects"]
    for found in effect["figures"].values():
        assert (found["difference"], found["low"], found["high"]) == (0, None, None)
        assert found["reason"] == "the same in every subject"


def test_cells_with_different_epochs_are_not_compared_and_the_report_says_so(tmp_path):
    asked = grid.read(written(tmp_path, grid={"style": ["paper", "clinical"]}))
    cells = plan.plan(asked)
    finished(tmp_path, cells, lambda cell: answers(2 + (cell.factors["style"] == "paper")))
    values = table.collect(asked, cells, tmp_path)
    (effect,) = values["effects"]
    assert (effect["pairs"], effect["other_epochs"], effect["figures"]) == (0, 1, {})
    study_report.write(tmp_path, values)
    assert (
        "style, clinical against paper: not compared" in (tmp_path / study_report.PAGE).read_text()
    )
    assert not (tmp_path / study_report.EFFECTS).exists()


def test_an_answer_that_is_no_stage_is_wrong_in_pooled_figures_too(tmp_path):
    rows = answers(n_subjects=2, wrong=0)
    rows[0]["prediction"] = None
    predictions.write(tmp_path / "p.csv", Predictions.from_rows(rows))
    right = pooling.read(tmp_path / "p.csv")
    assert pooling.means([right, right])["accuracy"].value == 1 - 1 / len(rows)


def test_one_subject_has_figures_and_no_interval(tmp_path):
    asked = grid.read(written(tmp_path))
    cells = plan.plan(asked)
    finished(tmp_path, cells, lambda cell: answers(n_subjects=1))
    values = table.collect(asked, cells, tmp_path)
    figure = values["settings"][0]["figures"]["kappa"]
    assert figure["value"] is not None
    assert figure["low"] is figure["high"] is None
    assert "**No interval: 1 subject; at least 3 are needed.**" in study_report.page(values, [])


def test_the_report_lists_failed_and_waiting_cells_and_no_local_path(tmp_path):
    asked = grid.read(written(tmp_path, grid={"seed": [0, 1, 2]}))
    cells = plan.plan(asked)
    finished(tmp_path, cells[:1], lambda cell: answers())
    mark = {"words": list(cells[1].training.words), "failed": "sft: out of memory | at /data/x/y"}
    (tmp_path / runs.STEPS / f"{cells[1].training.id}.json").write_text(json.dumps(mark))
    values = table.collect(asked, cells, tmp_path)
    assert [cell["state"] for cell in values["cells"]] == ["done", "failed", "not run"]
    study_report.write(tmp_path, values)
    page = (tmp_path / study_report.PAGE).read_text(encoding="utf-8")
    assert "1 done, **1 set aside**, 1 not run yet" in page
    assert r"sft: out of memory \| at y" in page
    assert str(tmp_path) not in page
    rows = list(csv.DictReader((tmp_path / study_report.ROWS).read_text().splitlines()))
    assert [row["state"] for row in rows] == ["done", "failed", "not run"]
    assert float(rows[0]["kappa_low"]) <= float(rows[0]["kappa"]) <= float(rows[0]["kappa_high"])
    assert rows[0]["training_cpu_seconds"] == "1.5"


def test_the_same_cells_give_the_same_report_byte_for_byte(tabled, tmp_path):
    asked, cells, out, values = tabled
    for folder, found in (
        (tmp_path / "a", values),
        (tmp_path / "b", table.collect(asked, cells, out)),
    ):
        study_report.write(folder, found)
    contents = [
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (tmp_path / "a", tmp_path / "b")
    ]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        "study.json",
        "study.csv",
        "report.md",
        "settings.png",
        "effects.png",
    }


def test_a_dry_run_shows_cells_and_commands_and_makes_nothing(tmp_path):
    axes = {"style": ["paper", "clinical"], "zero_shot": [True]}
    path = written(tmp_path, sft={"model": "ORG/model"}, grid=axes)
    said = subprocess.run(
        [*builds.PSGIMG, "study", str(path), "--out", str(tmp_path / "out"), "--dry-run"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.count("psgimg build --source demo --style") == 2
    assert "2 cells, 6 commands" in said
    assert not (tmp_path / "out").exists()
