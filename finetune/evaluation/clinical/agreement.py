"""Agreement: bias and limits of agreement of nights' errors, with intervals over subjects.

The bias is the mean over subjects of a subject's mean error, so that a person with many nights counts
once. The limits are bias ± 1.96 SD of a single night of another person. Its variance is that of the
subjects' means plus the share of the variance within subjects that these means do not contain, since
nights of one person are repeated measures (Bland & Altman 2007, doi:10.1080/10543400701329422).

The interval of a limit joins those of the bias and of the SD (MOVER: Zou 2013,
doi:10.1177/0962280211402548). That of the SD is Student's t on the log scale, with a standard error from
how far subjects differ in what they add to the variance, and never below that of normal errors.
Simulated (``benchmarks/limits.py``), the intervals of limits cover 95 to 100 % with normal errors and 91 to
100 % with long tails, from 3 subjects to 100; with errors as skewed as a gamma of shape 2, those of the
limit on the long side cover 87 to 100 %.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.metrics import jackknife
from psgimg.finetune.metrics.jackknife import FEWEST, LEVEL, Interval
from scipy.special import ndtri, stdtrit

Values = npt.NDArray[np.float64]

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
    within = np.bincount(person, (errors - means[person]) ** 2, n).astype(np.float64)
    added = _added(means - bias.value, n_nights, within)
    lower, upper = _limits(bias, added)
    return Agreement(bias, mae, math.sqrt(float(added.mean())), lower, upper)


def _added(deviations: Values, n_nights: npt.NDArray[np.integer], within: Values) -> Values:
    """Return (n_subjects,) what each subject adds to the variance of a night's error, their mean.

    Parameters
    ----------
    deviations, n_nights, within : (n_subjects,)
        Mean error less the bias, number of nights, and sum of squared deviations from the subject's
        mean.
    """
    n, repeated = len(deviations), int(n_nights.sum()) - len(deviations)
    share = (1 - float((1 / n_nights).mean())) * n / repeated if repeated else 0.0
    return np.asarray(deviations**2 * n / (n - 1) + share * within)


def _limits(bias: Interval, added: Values) -> tuple[Interval, Interval]:
    """Return the lower and the upper limit; without an interval where the bias has none."""
    n, variance = len(added), float(added.mean())
    sd = math.sqrt(variance)
    ends = (bias.value - Z * sd, bias.value + Z * sd)
    if bias.reason is not None:
        lower, upper = (Interval(end, math.nan, math.nan, bias.reason) for end in ends)
        return lower, upper
    error = float(added.std(ddof=1)) / math.sqrt(n) / variance
    reach = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * max(error, math.sqrt(2 / (n - 1)))
    half = bias.high - bias.value
    near = math.hypot(half, Z * sd * (1 - math.exp(-reach / 2)))
    far = math.hypot(half, Z * sd * (math.exp(reach / 2) - 1))
    return (
        Interval(ends[0], ends[0] - far, ends[0] + near),
        Interval(ends[1], ends[1] - near, ends[1] + far),
    )
