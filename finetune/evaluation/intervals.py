"""Intervals: confidence intervals of metrics and of paired differences, by bootstrap over subjects.

Whole subjects are resampled, because epochs of a night resemble one another, as do nights of a
person.
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
    """A metric over all subjects with its interval; NaN where undefined."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A metric of two sets of predictions for the same epochs; ``difference`` is second − first."""

    first: float
    second: float
    difference: float
    low: float
    high: float


def intervals(
    tables: Tables, *, rounds: int = ROUNDS, seed: int = 0, level: float = LEVEL
) -> dict[str, Interval]:
    """Return the metrics over all subjects, each with its interval.

    Parameters
    ----------
    tables
        (n_subjects, 5, 6), one confusion table per subject, in any order.
    rounds
        Number of bootstrap rounds, each drawing ``n_subjects`` subjects with replacement.
    seed
        Bootstrap seed.
    level
        Nominal coverage of the interval.

    Returns
    -------
    Mapping with the keys of :func:`psgimg.finetune.metrics.metric_table.summary`. With fewer than two
    subjects the intervals are NaN. Rounds in which a metric is undefined, such as the F1 of a stage
    that was not drawn, are ignored for that metric.
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
    """Return the paired difference of two sets of predictions in every metric.

    Parameters
    ----------
    first, second
        (n_subjects, 5, 6), the same subjects in the same order; both are resampled together.
    rounds, seed, level
        As for :func:`intervals`.

    Returns
    -------
    As for :func:`intervals`; rounds in which either metric is undefined are ignored.
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


def as_values(figures: Mapping[str, Interval] | Mapping[str, Difference]) -> Values:
    """Return metrics as nested mappings, in the form of ``metrics.json``."""
    return {name: figure._asdict() for name, figure in figures.items()}


def finite(value: Any) -> Any:
    """Return a value with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def _drawn(tables: npt.NDArray[np.int64], rounds: int, seed: int) -> dict[str, Draws]:
    """Return (rounds, n_files) resampled metrics of tables (n_subjects, n_files, 5, 6)."""
    # Sorted by content, so that the result does not depend on the order of the subjects.
    flat = tables.reshape(len(tables), math.prod(tables.shape[1:]))
    return bootstrap.figures(tables[np.lexsort(flat.T[::-1])], rounds, seed)
