"""Jackknife: t intervals over subjects, of means and of any figure of summed parts. NumPy, SciPy.

A figure is computed without each subject in turn; how far these values spread gives its standard error.
All epochs of a subject leave together, because they resemble one another. The interval is taken from
Student's t, on the logit scale where the figure has a range, so that it stays inside the range and is
longer on the side where there is more room. ``benchmarks/intervals.py`` compares this choice with
others by simulation; ``docs/intervals.json`` has its results.

The degrees of freedom are Kish's effective number of subjects less one: ten subjects of whom one has
half of all epochs say less than ten alike (Kish, Survey Sampling, 1965, ch. 11). For one value per
subject, the interval is the usual one of a mean.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.builder.words import counted
from scipy.special import expit, stdtrit

METHOD = "jackknife-t"
LEVEL = 0.95
FEWEST = 3
"""Fewest subjects for an interval: two values tell too little of how far subjects differ."""
NO_SPREAD = 1e-12
"""Standard errors up to this are rounding errors of identical values."""

Floats = npt.NDArray[np.float64]
Range = tuple[float, float]


class Ends(NamedTuple):
    """The ends of an interval; both NaN with the reason why there is none, else ``reason`` is None."""

    low: float
    high: float
    reason: str | None = None


class Interval(NamedTuple):
    """A figure over all subjects with its interval; NaN where undefined.

    Parameters
    ----------
    value, low, high
        The figure and the ends of its interval.
    reason
        Why there is no interval; None if there is one.
    """

    value: float
    low: float
    high: float
    reason: str | None = None

    def __str__(self) -> str:
        between = "" if np.isnan(self.low) else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.2f}{between}"


def too_few(n_subjects: int) -> str:
    """Return why there is no interval over so few subjects."""
    return f"{counted(n_subjects, 'subject')}; at least {FEWEST} are needed"


def ends(
    value: float,
    without: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    within: Range | None = None,
    level: float = LEVEL,
) -> Ends:
    """Return the interval of a figure from its values without each subject.

    Parameters
    ----------
    value
        The figure over all subjects.
    without : (n,)
        The figure over all subjects but one, for each subject, in any order.
    weights : (n,)
        What each subject contributes, such as its number of epochs; 0 for a subject without any
        bearing on the figure, such as one without N3 on the F1 of N3.
    within
        The range of the figure; None if it has none, such as minutes.
    level
        Nominal coverage.
    """
    left_out = np.sort(np.asarray(without, np.float64))  # the order of subjects moves no digit
    weight = np.asarray(weights, np.float64)
    n, bearing = len(left_out), int((weight > 0).sum())
    if bearing < FEWEST:
        return Ends(np.nan, np.nan, too_few(bearing))
    if not np.isfinite([value, *left_out]).all():
        return Ends(np.nan, np.nan, "undefined without one of the subjects")
    error = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    if error <= NO_SPREAD * max(1.0, abs(value)):
        return Ends(np.nan, np.nan, "the same in every subject")
    effective = weight.sum() ** 2 / (weight**2).sum()
    reach = float(stdtrit(effective - 1, (1 + level) / 2)) * error
    if within is None:
        return Ends(value - reach, value + reach)
    low, high = within
    share = np.clip((value - low) / (high - low), NO_SPREAD, 1 - NO_SPREAD)
    reach /= (high - low) * share * (1 - share)
    middle = np.log(share / (1 - share))
    both = low + (high - low) * expit(middle + np.array([-reach, reach]))
    return Ends(*both.tolist())


def of_sums(
    parts: npt.NDArray[np.number],
    figure: Callable[[npt.NDArray[np.number]], float],
    weights: npt.ArrayLike,
    *,
    within: Range | None = None,
) -> Interval:
    """Return a figure of parts that are summed over subjects, with its interval.

    Parameters
    ----------
    parts : (n, ...)
        What each subject adds, such as a confusion table, or a sum with a count.
    figure
        Function of the summed parts (...).
    weights, within
        As for :func:`ends`.
    """
    total = parts.sum(axis=0)
    value = float(figure(total))
    bearing = int((np.asarray(weights) > 0).sum())
    if bearing < FEWEST:  # the figure may be undefined without one of them
        return Interval(value, np.nan, np.nan, too_few(bearing))
    without = [float(figure(total - part)) for part in parts]
    return Interval(value, *ends(value, without, weights, within=within))


def share(parts: npt.NDArray[np.number]) -> float:
    """Return the first of two summed parts over the second; NaN if that is 0."""
    return float(parts[0] / parts[1]) if parts[1] else float("nan")


def mean(
    values: npt.ArrayLike,
    subjects: Sequence[Hashable] | npt.NDArray[np.generic],
    *,
    within: Range | None = None,
) -> Interval:
    """Return the mean of the finite values, with its interval over subjects.

    Parameters
    ----------
    values : (n,)
        Values, such as one per night or per page; NaN is ignored.
    subjects : (n,)
        Whose value each is; all values of a subject leave together.
    within
        As for :func:`ends`.
    """
    numbers = np.asarray(values, np.float64)
    finite = np.isfinite(numbers)
    if not finite.any():
        return Interval(np.nan, np.nan, np.nan, too_few(0))
    place: dict[Hashable, int] = {}
    of = [place.setdefault(key, len(place)) for key in subjects]
    group = np.array(of)[finite]
    counts = np.bincount(group, minlength=len(place))
    centre = numbers[finite].mean()  # sums of differences from it lose no digits
    sums = np.bincount(group, numbers[finite] - centre, minlength=len(place))
    has = counts > 0
    parts = np.column_stack([sums, counts])[has]
    left = None if within is None else (within[0] - centre, within[1] - centre)
    found = of_sums(parts, lambda part: float(part[0] / part[1]), counts[has], within=left)
    value, low, high = (float(part + centre) for part in found[:3])
    return Interval(value, low, high, found.reason)
