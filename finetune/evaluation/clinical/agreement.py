"""Agreement: bias and limits of agreement of nights' errors, with intervals over subjects.

The bias is the mean over subjects of a subject's mean error, so that a person with many nights counts
once. The limits are bias ± 1.96 SD of a single night of another person. Its variance is that of the
subjects' means plus the share of the variance within subjects that these means do not contain, since
nights of one person are repeated measures (Bland & Altman 2007, doi:10.1080/10543400701329422).

The interval of a limit joins those of the bias and of the SD (MOVER: Zou 2013,
doi:10.1177/0962280211402548). That of the SD is a jackknife over subjects on the log scale: in simulated
errors it covers as often as the chi-squared interval where they are normal, and oftener where not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics import jackknife
from psgimg.finetune.metrics.jackknife import FEWEST, LEVEL, Interval
from scipy.special import ndtri

Values = npt.NDArray[np.float64]

NO_SPREAD = 1e-6
"""SDs up to this, in minutes or percent, are rounding errors of identical errors."""

Z = float(ndtri((1 + LEVEL) / 2))
"""1.96: the limits enclose 95 % of a normal distribution."""


class Agreement(NamedTuple):
    """Errors of some nights: their mean, spread and limits; NaN where undefined."""

    bias: Interval
    mae: float
    sd: float
    lower: Interval
    upper: Interval


def agreement(errors: Values, subject: npt.NDArray[np.int64]) -> Agreement:
    """Return the bias and the limits of agreement of some nights' errors.

    Parameters
    ----------
    errors : (n_nights,)
        Prediction − scorer; finite.
    subject : (n_nights,)
        Number of each night's subject.
    """
    _, person, n_nights = np.unique(subject, return_inverse=True, return_counts=True)
    n = len(n_nights)
    means = np.bincount(person, errors, n) / n_nights
    bias = jackknife.mean(means, range(n))
    mae = float(np.mean(np.bincount(person, np.abs(errors), n) / n_nights)) if n else math.nan
    if n < FEWEST:
        nothing = Interval(math.nan, math.nan, math.nan, jackknife.too_few(n))
        return Agreement(bias, mae, math.nan, nothing, nothing)
    centred = means - bias.value  # sums of squares of these lose no digits
    within = np.bincount(person, (errors - means[person]) ** 2, n)
    parts = np.stack([np.ones(n), centred, centred**2, n_nights, 1 / n_nights, within])
    sums = parts.sum(axis=1, keepdims=True)
    sd = float(_sd(sums)[0])
    ends = (bias.value - Z * sd, bias.value + Z * sd)
    lower, upper = _limits(ends, bias, sd, _sd(sums - parts))
    return Agreement(bias, mae, sd, lower, upper)


def _sd(sums: Values) -> Values:
    """Return (k,) the SD of the error of a single night, in each of some sets of subjects.

    Parameters
    ----------
    sums : (6, k)
        Over the subjects of each set: their number; sums of their mean errors and of the squares of
        these; nights; sums of 1 / nights, and of squared deviations from the means.
    """
    n, mean, square, nights, inverse, within = sums
    between = (square - mean**2 / n) / (n - 1)
    repeated = np.maximum(np.round(nights - n), 1)  # without repeated nights, ``within`` is 0
    variance = between + (1 - inverse / n) * within / repeated
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _limits(
    ends: tuple[float, float], bias: Interval, sd: float, without: Values
) -> tuple[Interval, Interval]:
    """Return the lower and the upper limit with their intervals, as far as these are defined."""
    reason = bias.reason
    if reason is None and not (without > NO_SPREAD * max(1.0, sd)).all():
        reason = "the spread rests on one of the subjects"
    if reason is not None:
        lower, upper = (Interval(end, math.nan, math.nan, reason) for end in ends)
        return lower, upper
    spread = jackknife.ends(math.log(sd), np.log(without), np.ones(len(without)))
    if spread.reason is not None:
        lower, upper = (Interval(end, math.nan, math.nan, spread.reason) for end in ends)
        return lower, upper
    half = bias.high - bias.value
    near = math.hypot(half, Z * (sd - math.exp(spread.low)))
    far = math.hypot(half, Z * (math.exp(spread.high) - sd))
    return (
        Interval(ends[0], ends[0] - far, ends[0] + near),
        Interval(ends[1], ends[1] - near, ends[1] + far),
    )
