"""Resampling: change the rate of a signal, whole or a part at a time, without drift and aliasing.

Each new sample is a weighted sum of those around it, by a low-pass filter of which each position
between two samples has its own weights (a polyphase filter). A part of a signal is therefore the
same whether it is resampled alone or as part of the whole.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.compiled import compiled

Wave = npt.NDArray[np.float32]
Samples = npt.NDArray[np.float64]

N_CROSSINGS = 10
"""Zero crossings of the filter on either side; its ripple is 0.07 %."""

KAISER_BETA = 5.0

MOST_PHASES = 64
"""Up to so many positions between two samples, the samples of a position are computed at once."""


class Resampler:
    """A signal at another rate.

    Rates are exact fractions (MASS has 256.016 Hz): the ratio of new to old samples is the simplest
    one that drifts by less than half a sample over the whole signal, or the finest with a filter of
    usable length.

    Parameters
    ----------
    samples : (n,)
        The signal, gapless; continued beyond its ends by the line through its first and last sample.
        A copy is kept in single precision, at the lower one of both rates.
    rate
        Its rate in Hz.
    """

    def __init__(self, samples: Wave | Samples, rate: Fraction, sfreq_hz: float) -> None:
        exact = _exact(rate, sfreq_hz)
        self._ratio = _ratio(exact, len(samples))
        self._n = floor(len(samples) * exact)
        self._is_done = self._ratio == 1
        if self._is_done:
            self._padded = samples.astype(np.float32)
            return
        self._up, self._down = self._ratio.numerator, self._ratio.denominator
        self._taps = _taps(self._up, self._down)
        n_pad = self._taps.shape[1]
        # Where a ratio is rounded, the last sample may lie a little beyond the signal.
        beyond = max(0, self._n * self._ratio.denominator // self._ratio.numerator - len(samples))
        self._padded = _continued(samples, n_pad, n_pad + beyond)
        if self._ratio < 1:
            self._padded, self._is_done = self.part(0, self._n), True

    def __len__(self) -> int:
        return self._n

    def part(self, first: int, stop: int) -> Wave:
        """Return the new samples ``first`` to ``stop`` (exclusive), which exist."""
        if self._is_done:
            return self._padded[first:stop]
        up, down, taps = self._up, self._down, self._taps
        # Tap k of new sample m belongs to padded sample (m * down + middle) // up + 1 + k.
        middle = N_CROSSINGS * max(up, down)
        start = first * down + middle
        begin = start // up + 1
        end = ((stop - 1) * down + middle) // up + 1 + taps.shape[1]
        out = np.empty(stop - first, np.float32)
        phase = start - (begin - 1) * up
        if up > MOST_PHASES:
            _each(self._padded[begin:end], taps, up, down, phase, out)
        else:
            n_part = -(-(end - begin) // down)
            work = np.empty((down + 1, max(n_part, -(-len(out) // up))), np.float32)
            _by_phase(self._padded[begin:end], taps, up, down, phase, out, work)
        return out


class Level:
    """A slow level at another rate: it has no frequency that could alias, and is interpolated.

    Parameters
    ----------
    samples : (n,)
        The level, gapless.
    rate
        Its rate in Hz.
    """

    def __init__(self, samples: Wave | Samples, rate: Fraction, sfreq_hz: float) -> None:
        self._exact = _exact(rate, sfreq_hz)
        self._samples = samples.astype(np.float32)
        self._times = np.arange(len(samples))

    def __len__(self) -> int:
        return floor(len(self._samples) * self._exact)

    def part(self, first: int, stop: int) -> Wave:
        """Return the new samples ``first`` to ``stop`` (exclusive), which exist."""
        exact = float(self._exact)
        near = slice(floor(first / exact), ceil(stop / exact) + 1)  # a search in all takes longer
        times = np.arange(first, stop) / exact
        return np.interp(times, self._times[near], self._samples[near]).astype(np.float32)


def resample(samples: Wave | Samples, rate: Fraction, sfreq_hz: float) -> Wave:
    """Return a whole signal at another rate; see ``Resampler``."""
    resampler = Resampler(samples, rate, sfreq_hz)
    return resampler.part(0, len(resampler))


def _exact(rate: Fraction, sfreq_hz: float) -> Fraction:
    """Return the number of new samples per sample."""
    return Fraction(sfreq_hz).limit_denominator(10**6) / rate


def _ratio(exact: Fraction, n_samples: int) -> Fraction:
    return next(
        (
            close
            for limit in (10**2, 10**3, 10**4)
            if abs((close := exact.limit_denominator(limit)) - exact) * n_samples < 0.5
        ),
        exact.limit_denominator(10**5),  # finer ratios need filters of a gigabyte
    )


@lru_cache(maxsize=8)
def _taps(up: int, down: int) -> Wave:
    """Return the weights of the samples around each position between two samples, (up, n_taps).

    They are those of ``scipy.signal.resample_poly``: a sinc under a Kaiser window, in single
    precision.
    """
    longest = max(up, down)
    middle = N_CROSSINGS * longest
    offsets = np.arange(-middle, middle + 1)
    filtered = np.sinc(offsets / longest) * np.kaiser(2 * middle + 1, KAISER_BETA)
    weights = (filtered / filtered.sum()).astype(np.float32) * np.float32(up)
    n_taps = -(-len(weights) // up)
    # The last of the weights are those of the first samples.
    whole = np.zeros((n_taps, up), np.float32)
    whole.reshape(-1)[: len(weights)] = weights
    return np.ascontiguousarray(whole[::-1].T)


def _continued(samples: Wave | Samples, n_before: int, n_after: int) -> Wave:
    """Return a signal continued by the line through its first and its last sample."""
    n = len(samples)
    slope = (float(samples[-1]) - float(samples[0])) / max(n - 1, 1)
    padded = np.empty(n_before + n + n_after, np.float32)
    padded[:n_before] = samples[0] + slope * np.arange(-n_before, 0)
    padded[n_before : n_before + n] = samples
    padded[n_before + n :] = samples[-1] + slope * np.arange(1, n_after + 1)
    return padded


@compiled
def _each(padded: Wave, taps: Wave, up: int, down: int, phase: int, out: Wave) -> None:
    """Compute new samples one after another."""
    n_taps = taps.shape[1]
    at = 0
    for m in range(len(out)):
        total = np.float32(0.0)
        for k in range(n_taps):
            total += taps[phase, k] * padded[at + k]
        out[m] = total
        phase += down
        at += phase // up
        phase %= up


@compiled
def _by_phase(
    padded: Wave, taps: Wave, up: int, down: int, phase: int, out: Wave, work: Wave
) -> None:
    """Compute new samples of each position between two samples at once.

    Parameters
    ----------
    work : (down + 1, n)
        Memory: every ``down``-th sample from each of the first ones, and sums.
    """
    n_taps = taps.shape[1]
    for d in range(min(down, len(padded))):
        every = work[d]
        for i in range((len(padded) - d + down - 1) // down):
            every[i] = padded[np.uint64(d + i * down)]  # unsigned: checked for no negative one
    at = 0
    for m in range(min(up, len(out))):
        sums = work[down, : (len(out) - m + up - 1) // up]
        sums[:] = 0
        for k in range(0, n_taps - n_taps % 4, 4):
            a, b, c, d = at + k, at + k + 1, at + k + 2, at + k + 3
            _add(
                sums,
                work[a % down, a // down :],
                work[b % down, b // down :],
                work[c % down, c // down :],
                work[d % down, d // down :],
                taps[phase, k],
                taps[phase, k + 1],
                taps[phase, k + 2],
                taps[phase, k + 3],
            )
        for k in range(n_taps - n_taps % 4, n_taps):
            every, tap = work[(at + k) % down, (at + k) // down :], taps[phase, k]
            for i in range(len(sums)):
                sums[i] += tap * every[i]
        for i in range(len(sums)):
            out[np.uint64(m + i * up)] = sums[i]
        phase += down
        at += phase // up
        phase %= up


@compiled
def _add(
    sums: Wave,
    a: Wave,
    b: Wave,
    c: Wave,
    d: Wave,
    of_a: np.float32,
    of_b: np.float32,
    of_c: np.float32,
    of_d: np.float32,
) -> None:
    """Add four weighted samples to each sum, in this order."""
    for i in range(len(sums)):
        sums[i] = (((sums[i] + of_a * a[i]) + of_b * b[i]) + of_c * c[i]) + of_d * d[i]
