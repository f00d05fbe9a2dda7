"""Interval methods: candidates for an interval over subjects, for many simulated studies at once.

Every function takes values of (n_studies,) and returns (n_studies, 2) ends, NaN where there is none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics.jackknife import FEWEST, NO_SPREAD
from scipy.special import expit, ndtr, ndtri, stdtrit

Floats = npt.NDArray[np.float64]
Metric = Callable[[npt.NDArray[np.int64]], Floats]
TAILS = np.array([0.025, 0.975])


def error(without: Floats) -> Floats:
    """Return the jackknife's standard error from (n_studies, n_subjects) values without each subject."""
    n = without.shape[1]
    centred = without - without.mean(axis=1, keepdims=True)
    found = np.sqrt((n - 1) / n * (centred**2).sum(axis=1))
    return np.where(found > NO_SPREAD, found, np.nan)


def plain(value: Floats, without: Floats, within: tuple[float, float]) -> Floats:
    """Jackknife-t: on the figure's own scale, cut off at the ends of its range."""
    reach = stdtrit(without.shape[1] - 1, TAILS[1]) * error(without)
    return np.clip(np.column_stack([value - reach, value + reach]), *within)


def logit(
    value: Floats,
    without: Floats,
    within: tuple[float, float],
    freedom: Floats | float | None = None,
) -> Floats:
    """Jackknife-t on the logit scale, with n − 1 degrees of freedom unless others are given."""
    low, high = within
    degrees = without.shape[1] - 1 if freedom is None else freedom
    share = np.clip((value - low) / (high - low), NO_SPREAD, 1 - NO_SPREAD)
    reach = stdtrit(degrees, TAILS[1]) * error(without) / ((high - low) * share * (1 - share))
    middle = np.log(share / (1 - share))
    return low + (high - low) * expit(np.column_stack([middle - reach, middle + reach]))


def effective(
    value: Floats, without: Floats, within: tuple[float, float], weights: Floats
) -> Floats:
    """As psgimg prints it: the same with Kish's effective number of subjects, and none below three.

    Weights are (n_studies, n_subjects) epochs, 0 for a subject without any bearing on the figure.
    """
    squares = np.maximum((weights**2).sum(axis=1), 1)
    freedom = np.maximum(weights.sum(axis=1) ** 2 / squares - 1, NO_SPREAD)
    found = logit(value, without, within, freedom)
    return np.where(((weights > 0).sum(axis=1) >= FEWEST)[:, None], found, np.nan)


def percentile(drawn: Floats) -> Floats:
    """Bootstrap: percentiles of one study's (n_rounds,) resampled values, without undefined ones."""
    defined = drawn[np.isfinite(drawn)]
    return np.quantile(defined, TAILS) if defined.size else np.full(2, np.nan)


def accelerated(drawn: Floats, value: float, without: Floats) -> Floats:
    """BCa: percentiles corrected for bias and skewness (Efron 1987), for one study."""
    defined = drawn[np.isfinite(drawn)]
    spread = without.mean() - without
    if not defined.size or not np.isfinite(spread).all() or not (spread**2).sum() > NO_SPREAD:
        return np.full(2, np.nan)
    below = np.mean(defined < value) + np.mean(defined == value) / 2
    bias = ndtri(np.clip(below, 1 / len(defined), 1 - 1 / len(defined)))
    skewness = (spread**3).sum() / 6 / (spread**2).sum() ** 1.5
    shifted = bias + ndtri(TAILS)
    return np.quantile(defined, np.clip(ndtr(bias + shifted / (1 - skewness * shifted)), 0, 1))


def studentised(
    drawn: Floats, errors: Floats, within: tuple[float, float], value: float, own: float
) -> Floats:
    """Bootstrap-t: each resampled value in units of its own jackknife error, for one study."""
    sure = np.isfinite(drawn) & (errors > NO_SPREAD)
    if not sure.any():
        return np.full(2, np.nan)
    ratio = (drawn[sure] - value) / errors[sure]
    return np.clip(value - own * np.quantile(ratio, TAILS[::-1]), *within)
