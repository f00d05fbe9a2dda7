"""Table: the results of a study, computed from the output of its cells; contents of ``study.json``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, secrets
from psgimg.finetune.evaluation.intervals import finite
from psgimg.finetune.metrics import disclosure
from psgimg.finetune.study import baseline_cells, claims, plan, pooling, robustness, runs, step
from psgimg.finetune.study.claims import Claims
from psgimg.finetune.study.grid import BASELINE, FOLD, Study
from psgimg.finetune.study.plan import SEED, Cell
from psgimg.finetune.study.pooling import Answers
from psgimg.finetune.study.step import Step

DONE, FAILED, WAITING = "done", "failed", "not run"

MODEL = "the model"
"""Name of whatever the cells without a baseline used."""

Values = dict[str, Any]


def collect(study: Study, cells: Sequence[Cell], out: Path) -> Values:
    """Return the results of a study: its cells, settings averaged over seeds, and effects of factors.

    The folds of a cross-validation are evaluated together.

    Raises
    ------
    BuildError
        If the output of a finished step can't be read.
    """
    metrics = {
        cell.evaluation.id: _metrics(out / cell.evaluation.finished)
        for cell in cells
        if runs.is_done(out, cell.evaluation)
    }
    rows = [_row(cell, out, metrics.get(cell.evaluation.id)) for cell in cells]
    done = [(row, cell) for row, cell in zip(rows, cells, strict=True) if row["state"] == DONE]
    answers = {cell.prediction.id: pooling.read(out / cell.prediction.made) for _, cell in done}
    finished = [cell for _, cell in done]
    values = {
        "psgimg": version("psgimg"),
        "name": study.name,
        "factors": list(study.factors),
        "cells": rows,
        "settings": _settings(finished, answers),
        "effects": [
            effect
            for factor in study.factors
            if factor not in (SEED, FOLD)
            for effect in _effects(factor, cells, finished, answers)
        ],
        "robustness": robustness.robustness(finished, answers),
        "people": _people(metrics[cell.evaluation.id] for cell in finished),
        "commands": plan.commands(cells),
        **_disclosed(finished, metrics),
    }
    return secrets.mask_json(dict(finite(values)))


def _row(cell: Cell, out: Path, metrics: Values | None) -> Values:
    """Return the state and results of one cell, given the contents of its ``metrics.json`` if it is done."""
    row: Values = {
        "name": cell.name,
        "factors": dict(cell.factors),
        "claims": list(cell.claims),
        "state": WAITING,
        "reason": None,
        "cost": {"training": _cost(out, cell.training), "prediction": _cost(out, cell.prediction)},
        "predictions": cell.prediction.made,
        "evaluation": cell.evaluation.made,
    }
    if cell.explanation:
        own = {"folder": cell.explanation.made, "claims": list(cell.explanation_claims)}
        row["explanation"] = own | _state(out, cell.explanation)
    if metrics is not None:
        return row | {
            "state": DONE,
            "counts": metrics["counts"],
            "figures": metrics["pooled"]["figures"],
        }
    return row | _state(out, cell.evaluation)


def _state(out: Path, goal: Step) -> Values:
    """Return whether a step is done, why it or one that it needs failed, or that it was not run."""
    if runs.is_done(out, goal):
        return {"state": DONE, "reason": None}
    for one in step.ordered([goal]):
        if reason := runs.read_mark(out, one).get("failed"):
            return {"state": FAILED, "reason": reason}
    return {"state": WAITING, "reason": None}


def _disclosed(cells: Sequence[Cell], metrics: Mapping[str, Values]) -> Values:
    """Return what the methods of some cells saw of a night and from whom they learned, each once.

    Returns
    -------
    ``saw``, what all of them saw, empty if they differ; ``notes``, one line each.
    """
    files: dict[tuple[str, str], Any] = {}
    for cell in cells:
        source = metrics[cell.evaluation.id].get("source") or {}
        method = cell.factors.get(BASELINE) or baseline_cells.NONE
        name = MODEL if method == baseline_cells.NONE else method
        people = source.get(disclosure.PEOPLE)
        files.setdefault((name, f"{disclosure.view(source)} {people}"), source)
    named = [(name, source) for (name, _), source in files.items()]
    common = disclosure.common([source for _, source in named])
    return {"saw": common, "notes": disclosure.notes(named)}


PEOPLE = {"scorers": "second scorer", "people": "each scorer against the others"}
"""Key of ``metrics.json`` → whose agreement it is."""


def _people(evaluated: Iterable[Values]) -> list[Values]:
    """Return the agreement of the scorers on the evaluated epochs, each once."""
    lines: list[Values] = []
    for metrics in evaluated:
        for key, who in PEOPLE.items():
            found = metrics.get(key)
            if not found:
                continue
            line = {
                "name": who,
                **{name: found[name] for name in ("epochs", "subjects", "figures")},
            }
            if line not in lines:
                lines.append(line)
    return lines


def _metrics(path: Path) -> Values:
    """Read the results of `psgimg evaluate`."""
    try:
        values: Values = bounded.read_json(path, bounded.REPORT)
        values["counts"], values["pooled"]["figures"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); delete it and run the study again"
        ) from error
    return values


def _cost(out: Path, one: Step | None) -> Values | None:
    """Return the seconds of a finished step; ``interrupted`` if earlier attempts are not included."""
    mark = runs.read_mark(out, one) if one else {}
    keys = ("seconds", "cpu_seconds", "interrupted")
    return {key: mark[key] for key in keys} if "seconds" in mark else None


def _settings(cells: Sequence[Cell], answers: Mapping[str, Answers]) -> list[Values]:
    """Group cells that differ only in their seed or fold; the folds of a seed are evaluated as one."""
    groups: dict[tuple[Any, ...], dict[str | None, list[Cell]]] = {}
    for cell in cells:
        by_seed = groups.setdefault(tuple(cell.without(SEED, FOLD).items()), {})
        by_seed.setdefault(cell.factors.get(SEED), []).append(cell)
    return [
        _setting(
            [cell for folds in by_seed.values() for cell in folds],
            [
                pooling.joined([answers[cell.prediction.id] for cell in folds])
                for folds in by_seed.values()
            ],
        )
        for by_seed in groups.values()
    ]


def _setting(group: Sequence[Cell], own: Sequence[Answers]) -> Values:
    """Return the mean over the seeds of a setting, and the value of each."""
    tested: Claims = reduce(claims.joined, (cell.claims for cell in group))
    return {
        "name": plan.named(group[0].without(SEED, FOLD), group[0].given),
        "factors": group[0].without(SEED, FOLD),
        "claims": list(tested),
        "cells": [cell.prediction.made for cell in group],
        "subjects": _n_subjects(own),
        "figures": {
            name: {**mean._asdict(), "seeds": [one.figures[name] for one in own]}
            for name, mean in pooling.means(own).items()
        },
    }


def _effects(
    factor: str, cells: Sequence[Cell], done: Sequence[Cell], answers: Mapping[str, Answers]
) -> list[Values]:
    """Compare every value of a factor with its first, over pairs of otherwise equal cells.

    The folds that both have are one pair, as they are one setting: the mean of metrics of single folds
    would be another number.
    """
    distinct = dict.fromkeys(cell.factors[factor] for cell in cells)
    values = [value for value in distinct if value is not None]
    return [_effect(factor, values[0], value, done, answers) for value in values[1:]]


def _effect(
    factor: str, reference: str, value: str, done: Sequence[Cell], answers: Mapping[str, Answers]
) -> Values:
    by_run: dict[tuple[Any, ...], list[tuple[Answers, Answers]]] = {}
    for first, second in itertools.product(done, done):
        values = (first.factors[factor], second.factors[factor])
        if values == (reference, value) and comparable(first, second, factor):
            run = tuple((*one.without(FOLD).items(),) for one in (first, second))
            pair = answers[first.prediction.id], answers[second.prediction.id]
            by_run.setdefault(run, []).append(pair)
    equal = [
        (pooling.joined([one for one, _ in folds]), pooling.joined([other for _, other in folds]))
        for folds in by_run.values()
    ]
    pairs = [(first, second) for first, second in equal if first.epochs == second.epochs]
    differences = pooling.differences(pairs) if pairs else {}
    return {
        "factor": factor,
        "reference": reference,
        "value": value,
        "pairs": len(pairs),
        "other_epochs": len(equal) - len(pairs),
        "subjects": _n_subjects([first for first, _ in pairs]),
        "figures": {name: one._asdict() for name, one in differences.items()},
    }


def comparable(first: Cell, second: Cell, factor: str) -> bool:
    """Return whether two cells differ only in a factor, and do not test different claims.

    A factor without effect on one of them is ignored.
    """
    if first.claims and second.claims and not set(first.claims) & set(second.claims):
        return False
    others = [name for name in first.factors if name != factor]
    values = [(first.factors[name], second.factors[name]) for name in others]
    return all(a == b or a is None or b is None for a, b in values)


def _n_subjects(cells: Sequence[Answers]) -> int:
    return len({subject for cell in cells for subject in cell.subjects})
