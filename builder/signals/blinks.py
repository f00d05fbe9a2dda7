"""Blinks: which way they point in a frontal EEG, which shows whether a recording is upside down.

The eye is positive at its front. A blink rolls it up and makes the forehead positive for about a
fifth of a second, several times a minute. No other wave is as frequent, as uniform in sign and
without a second phase. Sleep has K-complexes, vertex waves and slow waves, all with a sharp negative
side; they are kept out by their second phase, by the slowness of the EEG around them and by their
rate. No stage is used, so that building, previewing and staging count the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.signals.deriving import Samples, in_segment

SFREQ_HZ = 100.0
"""Rate at which blinks are sought; slower signals keep their own."""

MIN_SFREQ_HZ = 64.0
"""Below this rate, the fast activity of wakefulness is not recorded."""

BLOCK_S = 30.0
"""Signal that is judged, and votes, as a whole."""

PIECE_S = 3600.0
"""Signal that is filtered at a time, for the sake of memory."""

N_PAD = 15
"""Samples by which a piece is continued at each end for the filters."""

SHAPE_HZ, SLOW_HZ, FAST_HZ = (0.5, 10.0), (0.5, 4.0), (18.0, 30.0)
MAX_SLOWNESS = 8.0
"""Largest ratio of slow to fast activity, both by their median, of a block that may be awake.

In SC4001, 90 % of W lies below 7.4 and 90 % of N2 above 8.2.
"""

MIN_UV = 25.0
ABOVE_BACKGROUND = 5.0
"""A blink is this many times as high as the median of the block."""

WIDTH_S = (0.08, 0.35)
"""Duration of a blink at half of its height: an R wave is shorter, a slow wave longer."""

MAX_SKEW = 3.0
"""A blink rises about as fast as it falls; the pop of an electrode rises at once."""

AROUND_S = 0.6
MAX_OPPOSITE = 0.5
"""Largest wave of the other sign beside a blink, as a share of its height; K-complexes have more."""

MIN_LEAD = 3
"""A block votes if it has so many more blinks one way than the other. Vertex waves and K-complexes
of either sign hardly reach this rate: the sleep of SC4001 has no vote in 653 epochs."""

MIN_VOTES = 8
MIN_SHARE = 0.9
"""Votes are decisive if there are so many, and so large a share of them goes one way."""


@dataclass(frozen=True)
class Blinks:
    """Number of blink-like peaks each way while awake, and of 30-s blocks that vote each way."""

    up: int = 0
    down: int = 0
    votes_up: int = 0
    votes_down: int = 0

    @property
    def sign(self) -> int:
        """1 if blinks decidedly point up, -1 if down, 0 if they don't decide."""
        votes = self.votes_up + self.votes_down
        if votes < MIN_VOTES or max(self.votes_up, self.votes_down) < MIN_SHARE * votes:
            return 0
        return 1 if self.votes_up > self.votes_down else -1

    def __add__(self, other: Blinks) -> Blinks:
        return Blinks(
            self.up + other.up,
            self.down + other.down,
            self.votes_up + other.votes_up,
            self.votes_down + other.votes_down,
        )


def count(
    samples_uv: Samples, rate: Fraction, record_s: Fraction, segments: Sequence[Segment]
) -> Blinks:
    """Count the blinks in a frontal EEG, over the whole recording.

    Parameters
    ----------
    samples_uv : (n_samples,)
        A frontal derivation as recorded, segments concatenated.
    rate
        Its rate in Hz.
    record_s, segments
        Gapless segments, bounded by record numbers, and the duration of a record.
    """
    total = Blinks()
    if rate >= MIN_SFREQ_HZ:
        for segment in segments:
            part = in_segment(samples_uv, rate, record_s, segment)
            n_piece = int(rate * Fraction(PIECE_S))
            for first in range(0, len(part), n_piece):
                total += _in_piece(part[first : first + n_piece], rate)
    return total


def _in_piece(samples_uv: Samples, rate: Fraction) -> Blinks:
    """Count the blinks in a gapless signal; an incomplete block at its end is left out."""
    from psgimg.builder.signals.resampling import resample  # loads Numba

    sfreq_hz = min(SFREQ_HZ, float(rate))
    n_block = round(BLOCK_S * sfreq_hz)
    if len(samples_uv) * sfreq_hz / float(rate) < n_block:
        return Blinks()
    wave = resample(samples_uv, rate, sfreq_hz).astype(np.float64)
    wave = wave[: len(wave) // n_block * n_block]
    if not len(wave):  # rounding of rates may drop the last sample
        return Blinks()
    slow, fast = (_level(_passed(wave, band, sfreq_hz), n_block) for band in (SLOW_HZ, FAST_HZ))
    awake = slow < MAX_SLOWNESS * fast
    shape = _passed(wave, SHAPE_HZ, sfreq_hz)
    background = _level(shape, n_block)
    up, down = (
        np.bincount(_peaks(signed, sfreq_hz, background) // n_block, minlength=len(awake)) * awake
        for signed in (shape, -shape)
    )
    votes = (up - down >= MIN_LEAD, down - up >= MIN_LEAD)
    return Blinks(*(int(each.sum()) for each in (up, down, *votes)))


def _passed(wave: Samples, band_hz: tuple[float, float], sfreq_hz: float) -> Samples:
    from psgimg.builder.signals import sections  # loads Numba

    return sections.both_ways(sections.band_pass(2, band_hz, sfreq_hz), wave, N_PAD)


def _level(wave: Samples, n_block: int) -> Samples:
    """Return the median deviation from 0 in each block, which hardly depends on its blinks."""
    level: Samples = np.median(np.abs(wave).reshape(-1, n_block), axis=1)
    return level


def _peaks(shape: Samples, sfreq_hz: float, background: Samples) -> npt.NDArray[np.intp]:
    """Return the samples at which there is an upward peak with the shape of a blink."""
    from psgimg.builder.signals import peaks  # loads Numba

    around = round(AROUND_S * sfreq_hz)
    narrowest, widest = (seconds * sfreq_hz for seconds in WIDTH_S)
    at, rise, fall = peaks.find(shape, MIN_UV, (narrowest, widest), 4 * around + 1)
    height = shape[at]
    fits = height > ABOVE_BACKGROUND * background[at // (len(shape) // len(background))]
    fits &= (rise < MAX_SKEW * fall) & (fall < MAX_SKEW * rise)
    fits &= (at >= around) & (at < len(shape) - around)
    at, height = at[fits], height[fits]
    windows = np.lib.stride_tricks.sliding_window_view(shape, 2 * around + 1)[at - around]
    found: npt.NDArray[np.intp] = at[windows.min(axis=1) > -MAX_OPPOSITE * height]
    return found
