"""Subject intervals: confidence intervals of means and ratios over subjects, and limits of agreement.

Subjects are the unit throughout, since nights of a person resemble one another. A ratio of sums has a
jackknife interval with Student's t, which for a mean over subjects is the usual t interval.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.intervals import Interval
from psgimg.finetune.metrics.bootstrap import LEVEL
from scipy import special

FEWEST_SUBJECTS = 3
"""Below this number there is no interval, and there are no limits of agreement."""

Values = npt.NDArray[np.float64]
NONE = (math.nan, math.nan)


class Agreement(NamedTuple):
    """Errors of some nights: their mean, spread and limits; NaN where undefined."""

    bias: Interval
    mae: float
    sd: float
    lower: Interval
    upper: Interval


def of_ratio(parts: npt.ArrayLike, wholes: npt.ArrayLike, *, proportion: bool = False) -> Interval:
    """Return the sum of ``parts`` over the sum of ``wholes``, with its interval.

    Parameters
    ----------
    parts, wholes : (n_subjects,)
        A subject without any whole does not count.
    proportion
        Whether to keep the interval within 0 and 1.
    """
    part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    part, whole = part[whole > 0], whole[whole > 0]
    n = len(whole)
    if not n:
        return Interval(math.nan, *NONE)
    value = float(part.sum() / whole.sum())
    if n < FEWEST_SUBJECTS:
        return Interval(value, *NONE)
    without = (part.sum() - part) / (whole.sum() - whole)
    pseudo = n * value - (n - 1) * without
    half = _t(n - 1) * float(pseudo.std(ddof=1)) / math.sqrt(n)
    low, high = float(pseudo.mean()) - half, float(pseudo.mean()) + half
    return (
        Interval(value, max(low, 0.0), min(high, 1.0)) if proportion else Interval(value, low, high)
    )


def agreement(errors: Values, subject: npt.NDArray[np.int64]) -> Agreement:
    """Return the bias and the limits of agreement of some nights' errors (Bland & Altman).

    The bias is the mean over subjects of a subject's mean error, so that a person with many nights
    counts once. The limits are bias ± 1.96 SD of a single night of another person, whose variance is
    that of the subjects' means plus the share of the variance within subjects that these means do not
    contain (Bland & Altman 2007, doi:10.1080/10543400701329422). Their intervals combine those of the
    bias and of the SD (Zou 2013, doi:10.1177/0962280211402548).

    Parameters
    ----------
    errors : (n_nights,)
        Prediction − scorer; finite.
    subject : (n_nights,)
        Number of each night's subject.
    """
    if not len(errors):
        nothing = Interval(math.nan, *NONE)
        return Agreement(nothing, math.nan, math.nan, nothing, nothing)
    _, person, n_nights = np.unique(subject, return_inverse=True, return_counts=True)
    means = np.bincount(person, errors) / n_nights
    bias = of_ratio(means, np.ones(len(means)))
    mae = float((np.bincount(person, np.abs(errors)) / n_nights).mean())
    if len(means) < FEWEST_SUBJECTS:
        nothing = Interval(math.nan, *NONE)
        return Agreement(bias, mae, math.nan, nothing, nothing)
    within = float(((errors - means[person]) ** 2).sum())
    sd, sd_low, sd_high = _spread(means, n_nights, within)
    z = float(special.ndtri((1 + LEVEL) / 2))
    half = bias.high - bias.value
    near, far = math.hypot(half, z * (sd - sd_low)), math.hypot(half, z * (sd_high - sd))
    lower, upper = bias.value - z * sd, bias.value + z * sd
    return Agreement(
        bias,
        mae,
        sd,
        Interval(lower, lower - far, lower + near),
        Interval(upper, upper - near, upper + far),
    )


def _spread(
    means: Values, n_nights: npt.NDArray[np.integer], within: float
) -> tuple[float, float, float]:
    """Return the SD of a night's error, and its interval.

    Parameters
    ----------
    means, n_nights : (n_subjects,)
        Mean error and number of nights of each subject.
    within
        Sum of squared deviations from the subjects' means.
    """
    n, more = len(means), int(n_nights.sum()) - len(means)
    parts = [(float(means.var(ddof=1)), n - 1)]
    if more:
        share = 1 - float((1 / n_nights).mean())
        parts.append((share * within / more, more))
    variance = sum(part for part, _ in parts)
    below = math.hypot(*(part * (1 - df / _chi2((1 + LEVEL) / 2, df)) for part, df in parts))
    above = math.hypot(*(part * (df / _chi2((1 - LEVEL) / 2, df) - 1) for part, df in parts))
    ends = (max(0.0, variance - below), variance + above)
    return math.sqrt(variance), math.sqrt(ends[0]), math.sqrt(ends[1])


def _t(df: int) -> float:
    return float(special.stdtrit(df, (1 + LEVEL) / 2))


def _chi2(p: float, df: int) -> float:
    """Return the p-quantile of the chi-squared distribution."""
    return float(special.chdtri(df, 1 - p))
