"""Page intervals: means over pages with bootstrap intervals over groups of pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics.bootstrap import ROUNDS, percentile_interval


class Mean(NamedTuple):
    """A mean with its interval; ``low`` and ``high`` are NaN with fewer than two groups."""

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
    """Return the mean of the finite values, with an interval from resampling whole groups.

    Parameters
    ----------
    values : (n,)
        Values; NaN is ignored.
    groups : (n,)
        Group of each value, such as its subject. Groups are drawn with replacement.
    seed
        Bootstrap seed.
    """
    numbers = np.asarray(values, np.float64)
    finite = np.isfinite(numbers)
    if not finite.any():
        return Mean(np.nan, np.nan, np.nan)
    _, group = np.unique(np.asarray(groups)[finite], return_inverse=True)
    sums, counts = np.bincount(group, numbers[finite]), np.bincount(group)
    value = float(sums.sum() / counts.sum())
    if len(counts) < 2:
        return Mean(value, np.nan, np.nan)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(ROUNDS, len(counts)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return Mean(value, *percentile_interval(means))
