"""Bootstrap: percentile intervals of metrics, by resampling whole groups. NumPy only.

Groups, such as all epochs of a subject, are resampled together because their epochs resemble one
another (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8 and 13).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics import metric_table

ROUNDS = 2000
LEVEL = 0.95

Draws = npt.NDArray[np.float64]


def figures(tables: npt.NDArray[np.int64], rounds: int, seed: int) -> dict[str, Draws]:
    """Return every metric of :func:`psgimg.finetune.metrics.metric_table.summary` in every round.

    Parameters
    ----------
    tables : (n_groups, n, 5, 6)
        Confusion tables of each group, which are resampled together.
    rounds
        Number of resamples, each of ``n_groups`` groups drawn with replacement.
    seed
        Seed of the resampling.

    Returns
    -------
    Metric key → (rounds, n) values, NaN where undefined; (0, n) with fewer than two groups.
    """
    n_groups, n = tables.shape[:2]
    n_rounds = rounds if n_groups > 1 else 0
    counts = np.zeros((0, n_groups), np.int64)
    if n_rounds:
        shares = np.full(n_groups, 1 / n_groups)
        counts = np.random.default_rng(seed).multinomial(n_groups, shares, size=n_rounds)
    resampled = np.tensordot(counts, tables, axes=1).reshape(n_rounds * n, *tables.shape[2:])
    summaries = [metric_table.summary(table) for table in resampled]
    return {
        metric.key: np.array([one[metric.key] for one in summaries]).reshape(n_rounds, n)
        for metric in metric_table.METRICS
    }


def percentile_interval(values: Draws, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval over the rounds with a defined value; NaN if there are none."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
