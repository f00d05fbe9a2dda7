"""Intervals: how far a figure would move with other subjects, by the bootstrap over subjects.

Epochs of a night resemble one another, and so do nights of a person: resampled are whole subjects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics import bootstrap, metric_table
from psgimg.finetune.metrics.bootstrap import LEVEL, ROUNDS, Draws

Tables = npt.NDArray[np.int64]
Values = dict[str, dict[str, float]]


class Interval(NamedTuple):
    """A figure of all subjects and its interval; NaN where there is none."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A figure of two predictions of the same epochs; ``difference`` is second minus first."""

    first: float
    second: float
    difference: float
    low: float
    high: float


def intervals(
    tables: Tables, *, rounds: int = ROUNDS, seed: int = 0, level: float = LEVEL
) -> dict[str, Interval]:
    """Figures of all subjects together, each with its interval.

    Parameters
    ----------
    tables
        (n_subjects, 5, 6), a confusion table a subject. Their order does not matter.
    rounds
        How often as many subjects as there are get drawn, with replacement.
    level
        What the interval is to cover.

    Returns
    -------
    The keys of :func:`psgimg.finetune.metrics.metric_table.summary`. With fewer than two subjects
    there is no interval. Rounds in which a figure is undefined, as an F1 is without its stage, do not count
    for that figure.
    """
    values = metric_table.summary(tables.sum(0))
    drawn = _drawn(tables[:, None], rounds, seed)
    return {
        name: Interval(value, *bootstrap.percentile_interval(drawn[name][:, 0], level))
        for name, value in values.items()
    }


def differences(
    first: Tables, second: Tables, *, rounds: int = ROUNDS, seed: int = 0, level: float = LEVEL
) -> dict[str, Difference]:
    """How far two predictions of the same epochs are apart, in every figure.

    Parameters
    ----------
    first, second
        (n_subjects, 5, 6), the same subjects in the same order: both are drawn at once.

    Returns
    -------
    As :func:`intervals`; a round counts if both figures are defined.
    """
    drawn = _drawn(np.stack([first, second], axis=1), rounds, seed)
    before, after = metric_table.summary(first.sum(0)), metric_table.summary(second.sum(0))
    return {
        name: Difference(
            before[name],
            after[name],
            after[name] - before[name],
            *bootstrap.percentile_interval(drawn[name][:, 1] - drawn[name][:, 0], level),
        )
        for name in before
    }


def as_values(found: Mapping[str, Interval] | Mapping[str, Difference]) -> Values:
    """Figures by name, each a mapping, as ``metrics.json`` has them."""
    return {name: figure._asdict() for name, figure in found.items()}


def finite(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON has not."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def _drawn(tables: npt.NDArray[np.int64], rounds: int, seed: int) -> dict[str, Draws]:
    """Every figure, (rounds, n_files), of tables (n_subjects, n_files, 5, 6)."""
    # In an order of their own, so that a seed draws the same however the subjects come.
    flat = tables.reshape(len(tables), math.prod(tables.shape[1:]))
    return bootstrap.figures(tables[np.lexsort(flat.T[::-1])], rounds, seed)
