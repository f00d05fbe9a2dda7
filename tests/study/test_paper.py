"""The paper, claim by claim: every claim has its commands, they can be planned, and a cell is one change."""

import functools
import importlib.util
import json
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path

import builds
import click
import numpy as np
import pytest
import yaml
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render import layout
from psgimg.builder.render.style_choice import load_style
from psgimg.finetune.study import grid, plan, runs, selection, study, table
from psgimg.finetune.study.study import StudyConfig, planned
from psgimg.finetune.terminal import study_command

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "paper.md"
STUDIES = {name: ROOT / "docs" / "studies" / f"{name}.yaml" for name in ("paper", "paper-demo")}
CLAIMS = {
    *("accuracy", "zero-shot", "second-family", "data-efficiency", "eeg-only", "resolution"),
    *("amplitude-scaling", "renderer", "corruption", "explanation", "cross-corpus"),
}
BASE = {"build": {"source": "demo"}, "sft": {"model": "tiny"}}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """Paths of the page and of its studies lead from the repository's root."""
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def ci():
    """The script by which CI runs the demo's commands."""
    spec = importlib.util.spec_from_file_location("paper_ci", ROOT / ".ci" / "paper.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def planned_cells(name):
    """The cells of one of the studies; planning checks some hundred options."""
    return plan.plan(grid.read(STUDIES[name]))


def cells_of(folder, **values):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**BASE, **values}, sort_keys=False), encoding="utf-8")
    return plan.plan(grid.read(path))


def chosen(cells, *wanted):
    return selection.of_claims(Path("study.yaml"), cells, wanted)


# The page


def test_each_claim_has_one_command_for_real_corpora_and_one_for_the_demo():
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    found = {}
    for section in sections[1:]:
        if name := re.match(r"`([\w-]+)`", section):
            block = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
            found[name[1]] = [line for text in block for line in text.splitlines()]
    command = "psgimg study docs/studies/{}.yaml --claim {}"
    assert found == {name: [command.format(study, name) for study in STUDIES] for name in CLAIMS}


def test_every_claim_of_the_studies_is_on_the_page_and_the_other_way_round(ci):
    said = {name: set() for name in STUDIES}
    for words in map(shlex.split, ci.commands()):
        if words[:2] == ["psgimg", "study"]:
            said[Path(words[2]).stem].add(words[words.index("--claim") + 1])
    for name in STUDIES:
        cells = planned_cells(name)
        assert said[name] == {c for cell in cells for c in (*cell.claims, *cell.explanation_claims)}
    assert said["paper-demo"] == CLAIMS


def test_each_command_for_real_corpora_can_be_planned_and_compares_with_the_first_cell(ci):
    commands = [line for line in ci.commands() if "studies/paper.yaml" in line]
    first, *_ = every = planned_cells("paper")
    for words in map(shlex.split, commands):
        wanted = [words[words.index("--claim") + 1]]
        cells = selection.of_claims(STUDIES["paper"], every, wanted)
        assert cells[0].prediction == first.prediction
        goals = {goal.command for cell in cells for goal in cell.goals}
        assert len(cells) > 3 or "explain" in goals, words


def test_the_whole_study_of_real_corpora_passes_the_checks_of_a_dry_run():
    pytest.importorskip("trl")
    cells = planned(StudyConfig(STUDIES["paper"], Path("none")))
    assert {"explain", "build", "sft"} <= {step.command for step in plan.steps(cells)}


def test_ci_runs_what_the_page_says(ci):
    assert {"psgimg build --source demo"} < set(ci.prepared())
    assert [shlex.split(line)[-1] for line in ci.claims()] == list(
        dict.fromkeys(re.findall(r"^## `([\w-]+)`", PAGE.read_text(encoding="utf-8"), re.M))
    )
    assert "python .ci/paper.py" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


# One change


def changed(first, second):
    """Names of the factors in which two cells differ, where both have a value."""
    return [
        name
        for name, value in second.factors.items()
        if value != first.factors[name] and None not in (value, first.factors[name])
    ]


@pytest.mark.parametrize("name", STUDIES)
def test_a_cell_differs_from_a_reference_in_one_factor(name):
    """But for the paper's own page, which is everything at once, and the demo's stand-in for zero-shot."""
    cells = planned_cells(name)
    for cell in cells:
        if cell.claims in (("accuracy",), ()) or (name, cell.claims) == (
            "paper-demo",
            ("zero-shot",),
        ):
            continue
        others = [c for c in cells if not c.claims or c.claims == cell.claims]
        assert any(len(changed(other, cell)) == 1 for other in others), cell.name


@pytest.mark.parametrize("name", STUDIES)
def test_a_style_of_a_claim_differs_from_clinical_in_what_the_claim_names(name):
    keys = {
        "amplitude-scaling": [{"scaling"}, {"eeg.guide_uv"}],
        "resolution": [{"width_px", "height_px"}],
        "renderer": [{"renderer"}],
        "eeg-only": [set(), {"height_px"}],
    }
    for cell in planned_cells(name):
        for claim in set(cell.claims) & set(keys):
            style = load_style(cell.factors["style"])
            assert differences(load_style("clinical"), style) in keys[claim], cell.name


def differences(first, second):
    found = {
        field.name
        for field in fields(first)
        if field.name not in ("name", "lanes")
        and getattr(first, field.name) != getattr(second, field.name)
    }
    for kind, lane in first.lanes.items():
        found |= {
            f"{kind.value}.{field.name}"
            for field in fields(lane)
            if getattr(lane, field.name) != getattr(second.lanes[kind], field.name)
        }
    return found


def test_eeg_alone_on_the_lower_page_is_drawn_as_on_the_whole_one():
    """Pixel for pixel but for the line under the last lane, which belongs to the lane below."""
    alone = next(
        load_style(cell.factors["style"])
        for cell in planned_cells("paper")
        if str(cell.factors["style"]).startswith("clinical:height_px")
    )
    whole = layout.boxes(load_style("clinical"), MONTAGES["central"])
    assert layout.boxes(alone, MONTAGES["central-eeg"]) == whole[:2]
    lanes = [lane.name for lane in MONTAGES["central"].lanes]
    assert [lane.name for lane in MONTAGES["central-eeg"].lanes] == lanes[:2]


# Claims of any study


def test_a_claim_is_run_with_the_cells_that_name_none(tmp_path):
    cells = cells_of(
        tmp_path,
        cells=[
            {},
            {"claim": "a", "style": ["paper", "sleepvlm"]},
            {"claim": ["a", "b"], "context": 1},
        ],
        grid={"seed": [0, 1]},
    )
    names = [cell.name for cell in chosen(cells, "b")]
    assert names == ["seed 0", "seed 1", "context 1, seed 0", "context 1, seed 1"]
    assert len(chosen(cells, "a")) == len(chosen(cells)) == len(chosen(cells, "a", "b")) == 8


def test_a_cell_that_is_listed_twice_has_the_claims_of_both(tmp_path):
    twice = [
        {"claim": "a", "context": 1},
        {"claim": "b", "context": 1},
        {"claim": "c", "context": 0},
    ]
    cells = cells_of(tmp_path, cells=[*twice, {}])
    assert [cell.claims for cell in cells] == [("a", "b"), ("c",), ()]
    same = cells_of(tmp_path, cells=[{"claim": "a"}, {}])
    assert [cell.claims for cell in same] == [()]


def test_only_cells_of_one_claim_are_compared_with_each_other(tmp_path):
    """A model that was not trained has no training subjects: it would be compared with every number."""
    few = {"claim": "few", "train_subjects": [1, 2]}
    cells = cells_of(
        tmp_path,
        sft={"model": "m"},
        cells=[{}, few, {"claim": "untaught", "zero_shot": True}],
    )
    reference, one, two, untaught = cells
    assert untaught.factors["train_subjects"] is None
    pairs = [c for c in cells if table.comparable(c, untaught, "zero_shot")]
    assert pairs == [reference, untaught]
    assert table.comparable(one, two, "train_subjects")
    assert not table.comparable(one, untaught, "zero_shot")
    without = cells_of(
        tmp_path,
        sft={"model": "m"},
        cells=[{"train_subjects": [1, 2]}, {"zero_shot": True}],
    )
    assert all(table.comparable(cell, without[-1], "zero_shot") for cell in without)


@pytest.mark.parametrize("claim", [3, "", "two words", [], [None], {"a": 1}])
def test_a_claim_that_is_no_word_is_refused(tmp_path, claim):
    with pytest.raises(BuildError, match=r"study\.yaml: cells 2: claim: "):
        cells_of(tmp_path, cells=[{}, {"claim": claim, "context": 1}])


def test_an_unknown_claim_is_refused_with_those_that_there_are(tmp_path):
    cells = cells_of(tmp_path, cells=[{}, {"claim": "a", "context": 1}])
    with pytest.raises(BuildError, match=r"--claim b: study\.yaml has no such claim; it has a"):
        chosen(cells, "b")
    with pytest.raises(BuildError, match="it has none"):
        chosen(cells_of(tmp_path), "a")


def test_the_first_cells_model_is_explained_on_its_test_pages_for_its_claim_only(tmp_path):
    cells = cells_of(
        tmp_path,
        explain={"claim": "why", "method": "patches", "pages": 3},
        cells=[{}, {"claim": "a", "context": 1}],
    )
    step = cells[0].explanation
    assert step.words[:5] == (
        *("explain", "--model", f"@/{cells[0].training.made}"),
        *("--dataset", f"@/{cells[0].prediction.needs[1].made}"),
    )
    assert step.words[5:9] == ("--method", "patches", "--pages", "3")
    assert {need.command for need in step.needs} == {"build", "sft"}
    assert [bool(cell.explanation) for cell in chosen(cells)] == [True, False]
    assert [bool(cell.explanation) for cell in chosen(cells, "a")] == [False, False]
    assert [(c.name, bool(c.explanation)) for c in chosen(cells, "why")] == [("base", True)]
    assert step in plan.steps(cells)


def test_an_explanation_is_of_the_pages_that_its_cell_predicts(tmp_path):
    cells = cells_of(tmp_path, explain={}, cells=[{"fold": 1}], predict={"corpus": "hmc"})
    words = cells[0].explanation.words
    for name, value in (("--fold", "1"), ("--corpus", "hmc")):
        assert words[words.index(name) + 1] == value
        assert name in cells[0].prediction.words
    cells = cells_of(tmp_path, explain={"split": "validation"}, predict={"split": "train"})
    words = cells[0].explanation.words
    assert words[words.index("--split") + 1] == "validation"
    assert words.count("--split") == 1


def test_a_claim_of_the_explanation_alone_runs_it_though_its_cell_has_others(tmp_path):
    cells = cells_of(
        tmp_path,
        explain={"claim": "why"},
        cells=[{"claim": "a"}, {"claim": "b", "context": 1}],
    )
    found = chosen(cells, "why")
    assert [bool(cell.explanation) for cell in found] == [True]
    assert found[0].prediction == cells[0].prediction
    assert [bool(cell.explanation) for cell in chosen(cells, "b")] == [False]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"explain": {"methd": "patches"}}, "explain: unknown option methd; use one of split"),
        ({"explain": {"method": "guess"}}, "explain: --method 'guess'"),
        ({"explain": {"out": "x"}}, "explain: out can't be given"),
        ({"explain": ["patches"]}, "explain: expected `name: value` lines"),
        ({"explain": {}, "cells": [{"zero_shot": True, "model": "m"}]}, "trains no model"),
        ({"grid": {"style.scaling": ["epoch"]}}, "write it as a value of style, such as clinical:"),
    ],
)
def test_an_explanation_that_can_not_be_is_refused_before_anything_is_run(tmp_path, values, said):
    with pytest.raises(BuildError, match=re.escape(said)) as refused:
        cells_of(tmp_path, **values)
    assert str(refused.value).startswith(str(tmp_path / "study.yaml"))


def test_an_explanation_that_failed_is_in_the_table_with_its_reason(tmp_path):
    cells = cells_of(tmp_path, explain={}, cells=[{}])
    step = cells[0].explanation
    mark = tmp_path / runs.STEPS / f"{step.id}.json"
    mark.parent.mkdir()
    design = grid.read(tmp_path / "study.yaml")
    for failed, state in (({}, "not run"), ({"failed": "explain: no memory"}, "failed")):
        mark.write_text(json.dumps({"words": list(step.words), **failed}), encoding="utf-8")
        [row] = table.collect(design, cells, tmp_path)["cells"]
        assert (row["explanation"]["state"], row["state"]) == (state, "not run")
        assert row["explanation"]["reason"] == failed.get("failed")


def test_a_claims_command_fails_for_its_own_cells_and_references_only():
    def cell(state, *claims, **more):
        return {"state": state, "claims": list(claims), **more}

    explained = {"explanation": {"state": "failed", "claims": ["why"]}}
    cells = [cell("done", **explained), cell("failed", "a"), cell("done", "b")]
    fails = study_command._fail_if_set_aside
    fails({"cells": cells}, ("b",))
    with pytest.raises(click.ClickException, match="1 of 2 cells set aside"):
        fails({"cells": cells}, ("a",))
    with pytest.raises(click.ClickException, match="1 of 3 cells set aside"):
        fails({"cells": cells}, ())
    with pytest.raises(click.ClickException, match="the explanation failed"):
        fails({"cells": cells}, ("why",))
    with pytest.raises(click.ClickException, match="1 of 2 cells set aside"):
        fails({"cells": [cell("failed"), cells[2]]}, ("b",))


def test_two_claims_run_in_one_folder_at_once_but_not_the_same_twice(tmp_path):
    first, second = (StudyConfig(STUDIES["paper"], tmp_path, claim=(name,)) for name in "ab")
    refused = pytest.raises(BuildError, match="another psgimg study is running")
    with study.alone(first), study.alone(second):
        with refused, study.alone(first):
            pass
        with refused, study.alone(StudyConfig(STUDIES["paper"], tmp_path)):
            pass


def test_the_command_line_shows_the_cells_of_a_claim():
    words = ["study", str(STUDIES["paper-demo"]), "--claim", "renderer", "--dry-run"]
    done = subprocess.run([*builds.PSGIMG, *words], capture_output=True, text=True, check=True)
    assert "2 cells, 8 commands" in done.stdout
    assert "--style clinical:renderer=matplotlib" in done.stdout
    bad = [*builds.PSGIMG, *words[:2], "--claim", "rendering", "--dry-run"]
    refused = subprocess.run(bad, capture_output=True, text=True, check=False)
    assert refused.returncode
    assert "--claim rendering" in refused.stderr
    assert "Traceback" not in refused.stderr


# The demo's own corpora


def test_the_demos_second_corpus_is_of_people_left_out_of_training():
    split = (ROOT / "docs/studies/paper-demo/split.csv").read_text(encoding="utf-8")
    parts = dict(line.split(",") for line in split.splitlines()[1:])
    values = yaml.safe_load(STUDIES["paper-demo"].read_text(encoding="utf-8"))
    own, other = values["build"]["subjects"], values["test-build"]["subjects"]
    assert not set(own) & set(other)
    assert set(own) | set(other) == set(parts)
    assert {parts[name] for name in other} == {"test"}
    pattern = yaml.safe_load((ROOT / "docs/studies/paper-demo/elsewhere.yaml").read_text())[
        "fields"
    ]
    assert [name for name in parts if re.fullmatch(pattern["subject"], name)] == other
    assert np.unique(list(parts.values())).tolist() == ["test", "train"]
    assert (
        BuildConfig(("docs/studies/paper-demo/elsewhere.yaml",)).corpora[0].name == "demo-elsewhere"
    )
