"""Intervals: a mean, and where 95 % of the means of resampled groups lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics.bootstrap import ROUNDS, percentile_interval


class Mean(NamedTuple):
    """A mean with its interval; ``low`` and ``high`` are NaN where there are not two groups."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        between = "" if np.isnan(self.low) else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.2f}{between}"


def mean(
    values: Sequence[float] | npt.NDArray[np.float64],
    groups: Sequence[int] | npt.NDArray[np.integer],
    seed: int = 0,
) -> Mean:
    """Mean of the values that are numbers, with an interval from drawing whole groups with replacement.

    Parameters
    ----------
    values : (n,)
        NaN is left out.
    groups : (n,)
        What is drawn together: pages of a subject, or each page alone.
    """
    numbers = np.asarray(values, np.float64)
    there = np.isfinite(numbers)
    if not there.any():
        return Mean(np.nan, np.nan, np.nan)
    _, group = np.unique(np.asarray(groups)[there], return_inverse=True)
    sums, counts = np.bincount(group, numbers[there]), np.bincount(group)
    value = float(sums.sum() / counts.sum())
    if len(counts) < 2:
        return Mean(value, np.nan, np.nan)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(ROUNDS, len(counts)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return Mean(value, *percentile_interval(means))
