"""Bootstrap: how far a figure would move if others had been drawn. NumPy only.

Drawn are whole groups, such as the epochs of a subject, as these resemble one another (Efron &
Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8 and 13: the percentile interval).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics import metric_table

ROUNDS = 2000
LEVEL = 0.95

Draws = npt.NDArray[np.float64]


def figures(tables: npt.NDArray[np.int64], rounds: int, seed: int) -> dict[str, Draws]:
    """Every figure of :func:`psgimg.finetune.metrics.metric_table.summary` in every round.

    Parameters
    ----------
    tables : (n_groups, n, 5, 6)
        Confusion tables of each group, which are drawn together.
    rounds
        How often as many groups as there are get drawn, with replacement.

    Returns
    -------
    (rounds, n) values by figure, NaN where it is undefined; (0, n) with fewer than two groups.
    """
    n_groups, n = tables.shape[:2]
    n_rounds = rounds if n_groups > 1 else 0
    times = np.zeros((0, n_groups), np.int64)
    if n_rounds:
        shares = np.full(n_groups, 1 / n_groups)
        times = np.random.default_rng(seed).multinomial(n_groups, shares, size=n_rounds)
    resampled = np.tensordot(times, tables, axes=1).reshape(n_rounds * n, *tables.shape[2:])
    found = [metric_table.summary(table) for table in resampled]
    return {
        metric.key: np.array([one[metric.key] for one in found]).reshape(n_rounds, n)
        for metric in metric_table.METRICS
    }


def ends(drawn: Draws, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval over rounds in which a figure is defined; NaN without any."""
    defined = drawn[~np.isnan(drawn)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
