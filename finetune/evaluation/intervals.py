"""Intervals: how far a figure would move with other subjects, by the bootstrap over subjects.

Epochs of a night resemble one another, and so do nights of a person: resampled are whole subjects
(Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8 and 13: the percentile interval).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune import metrics

ROUNDS = 2000
LEVEL = 0.95

Tables = npt.NDArray[np.int64]
Figures = dict[str, npt.NDArray[np.float64]]
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
    The keys of :func:`psgimg.finetune.metrics.summary`. With fewer than two subjects there is no
    interval. Rounds in which a figure is undefined, as an F1 is without its stage, do not count
    for that figure.
    """
    values = metrics.summary(tables.sum(0))
    drawn = _drawn(tables[:, None], rounds, seed)
    return {
        name: Interval(value, *_interval(drawn[name][:, 0], level))
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
    before, after = metrics.summary(first.sum(0)), metrics.summary(second.sum(0))
    return {
        name: Difference(
            before[name],
            after[name],
            after[name] - before[name],
            *_interval(drawn[name][:, 1] - drawn[name][:, 0], level),
        )
        for name in before
    }


def as_values(found: Mapping[str, Interval] | Mapping[str, Difference]) -> Values:
    """Figures by name, each a mapping, as ``metrics.json`` has them."""
    return {name: figure._asdict() for name, figure in found.items()}


def _drawn(tables: npt.NDArray[np.int64], rounds: int, seed: int) -> Figures:
    """Every figure, (rounds, n_files), of tables (n_subjects, n_files, 5, 6)."""
    n_subjects, n_files = tables.shape[:2]
    flat = tables.reshape(n_subjects, n_files * metrics.N_STAGES * (metrics.N_STAGES + 1))
    # In an order of their own, so that a seed draws the same however the subjects come.
    flat = flat[np.lexsort(flat.T[::-1])]
    n_rounds = rounds if n_subjects > 1 else 0
    times = np.zeros((0, n_subjects), np.int64)
    if n_rounds:
        shares = np.full(n_subjects, 1 / n_subjects)
        times = np.random.default_rng(seed).multinomial(n_subjects, shares, size=n_rounds)
    resampled = (times @ flat).reshape(n_rounds * n_files, *tables.shape[2:])
    figures = [metrics.summary(table) for table in resampled]
    return {
        name: np.array([one[name] for one in figures]).reshape(n_rounds, n_files)
        for name in metrics.summary(np.zeros(tables.shape[2:], np.int64))
    }


def _interval(drawn: npt.NDArray[np.float64], level: float) -> tuple[float, float]:
    defined = drawn[~np.isnan(drawn)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
