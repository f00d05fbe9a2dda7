"""Robustness: what a study changes in its models, compared under each corruption of the test pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psgimg.finetune.study import plan, pooling
from psgimg.finetune.study.grid import CORRUPT, FOLD
from psgimg.finetune.study.plan import SEED, Cell
from psgimg.finetune.study.pooling import Answers

Values = dict[str, Any]

Runs = dict[str | None, list[Cell]]
"""Seed → the cells of a setting, one for each fold."""


def robustness(cells: Sequence[Cell], answers: Mapping[str, Answers]) -> list[Values]:
    """Compare the settings of a study with the first, under each corruption by itself.

    Parameters
    ----------
    cells
        Those that are finished.
    answers
        The predictions of each, by its step.

    Returns
    -------
    list
        An entry for each corruption under which there are two settings or more, with its
        ``corruption``, ``subjects`` and ``settings``, the same in all entries; of these ``name``,
        ``figures``, None if there are none, and ``differences`` from the first, over the seeds that
        both have, None for itself and where their epochs differ.
    """
    by_corruption: dict[str | None, dict[tuple[Any, ...], Runs]] = {}
    for cell in cells:
        if CORRUPT in cell.factors:
            settings = by_corruption.setdefault(cell.factors[CORRUPT], {})
            runs = settings.setdefault(tuple(cell.without(CORRUPT, SEED, FOLD).items()), {})
            runs.setdefault(cell.factors.get(SEED), []).append(cell)
    compared = {name: found for name, found in by_corruption.items() if len(found) > 1}
    names: dict[tuple[Any, ...], str] = {}
    for settings in compared.values():
        for key, runs in settings.items():
            cell = next(iter(runs.values()))[0]
            names.setdefault(key, plan.named(cell.without(CORRUPT, SEED, FOLD), cell.given))
    return [
        _compared(corruption, {name: found.get(key, {}) for key, name in names.items()}, answers)
        for corruption, found in compared.items()
    ]


def _compared(
    corruption: str | None, settings: Mapping[str, Runs], answers: Mapping[str, Answers]
) -> Values:
    """Return the figures of each setting under a corruption, and their differences from the first."""
    joined = [
        {
            seed: pooling.joined([answers[cell.prediction.id] for cell in folds])
            for seed, folds in runs.items()
        }
        for runs in settings.values()
    ]
    first = joined[0]
    entries: list[Values] = []
    for name, own in zip(settings, joined, strict=True):
        means = pooling.means(list(own.values())) if own else None
        pairs = [
            (first[seed], one)
            for seed, one in own.items()
            if seed in first and first[seed].epochs == one.epochs
        ]
        found = pooling.differences(pairs) if own is not first and pairs else None
        entries.append({"name": name, "figures": _plain(means), "differences": _plain(found)})
    people = {subject for own in joined for one in own.values() for subject in one.subjects}
    return {"corruption": corruption, "subjects": len(people), "settings": entries}


def _plain(figures: Mapping[str, Any] | None) -> Values | None:
    return None if figures is None else {name: one._asdict() for name, one in figures.items()}
