"""Peaks: the upward waves of a signal that are high enough and have the right duration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.compiled import compiled

Samples = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


class Peaks(NamedTuple):
    """Peaks of a signal, in samples.

    Parameters
    ----------
    at : (n,)
        Number of the highest sample, or of the middle one of equal ones.
    rise, fall : (n,)
        Duration from the half of the height to the peak, and from there to the other half.
    """

    at: Places
    rise: Samples
    fall: Samples


def find(shape: Samples, least: float, widths: tuple[float, float], n_window: int) -> Peaks:
    """Return the peaks whose height and prominence reach ``least``, as ``scipy.signal.find_peaks``.

    Parameters
    ----------
    widths
        Least and greatest duration at half of the prominence, in samples.
    n_window
        Number of samples around a peak, an odd one, among which its prominence is determined.
    """
    at = np.empty(len(shape) // 2 + 1, np.intp)
    rise, fall = np.empty((2, len(at)))
    n = _find(shape, least, widths[0], widths[1], n_window // 2, at, rise, fall)
    return Peaks(at[:n], rise[:n], fall[:n])


@compiled
def _find(
    shape: Samples,
    least: float,
    narrowest: float,
    widest: float,
    reach: int,
    at: Places,
    rise: Samples,
    fall: Samples,
) -> int:
    """Find the peaks, write their places and durations, and return their number."""
    last = len(shape) - 1
    n_found = 0
    i = 1
    while i < last:
        stop = i + 1
        if shape[i - 1] < shape[i]:
            while stop < last and shape[stop] == shape[i]:
                stop += 1
            if shape[stop] < shape[i] and shape[i] >= least:
                peak = (i + stop - 1) // 2
                left, low_left = _base(shape, peak, max(peak - reach, 0), -1)
                right, low_right = _base(shape, peak, min(peak + reach, last), 1)
                prominence = shape[peak] - max(low_left, low_right)
                if prominence >= least:
                    height = shape[peak] - prominence / 2
                    begin = _crossing(shape, peak, left, height, -1)
                    end = _crossing(shape, peak, right, height, 1)
                    if narrowest <= end - begin <= widest:
                        at[n_found], rise[n_found], fall[n_found] = peak, peak - begin, end - peak
                        n_found += 1
        i = stop
    return n_found


@compiled
def _base(shape: Samples, peak: int, limit: int, step: int) -> tuple[int, float]:
    """Return the lowest sample on one side of a peak, up to a higher one, and its value."""
    place, low, i = peak, shape[peak], peak
    while i != limit + step and shape[i] <= shape[peak]:
        if shape[i] < low:
            low, place = shape[i], i
        i += step
    return place, low


@compiled
def _crossing(shape: Samples, peak: int, base: int, height: float, step: int) -> float:
    """Return where the signal falls to a height on one side of a peak, between two samples."""
    i = peak
    while i != base and height < shape[i]:
        i += step
    place = float(i)
    if shape[i] < height:
        place -= step * (height - shape[i]) / (shape[i - step] - shape[i])
    return place
