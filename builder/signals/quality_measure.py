"""Quality measure: the share of a lane's epochs that are flat, saturated, implausible or mains.

Each second of the raw samples is judged, before any filter, and half of an epoch's seconds decide:
by the AASM manual, too, an epoch can't be staged if an artifact obscures more than half of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.recordings.recording import MAINS_HZ
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.signals.quality import Defect, LaneQuality, lane_quality

Samples = npt.NDArray[np.float64]
Wave = npt.NDArray[np.float64] | npt.NDArray[np.float32]
WaveT = TypeVar("WaveT", npt.NDArray[np.float64], Wave)
Mask = npt.NDArray[np.bool_]
"""Whether each second of each page has a defect, shape (n_pages, 30)."""

PAGE_S = 30
HALF = 0.5
EEG_STOP_HZ = 35.0
"""Upper end of the EEG band of the AASM manual."""

ROUNDING = 1e-12
"""Variance in relation to the mean square that may be left of a constant by rounding."""

NEARLY_HALF = 0.49
"""Share of the sampling rate from which on mains interferes with its mirror image."""

N_CHUNK = 16
"""Pages examined at once: their samples fit in the processor's cache."""


@dataclass(frozen=True)
class Bounds:
    """Plausible peak-to-peak amplitudes within a second, in µV."""

    low_uv: float
    high_uv: float


PLAUSIBLE = ByKind(
    {
        # Below 2 µV is the electrocerebral silence of the ACNS guideline for brain death; no scalp
        # EEG keeps above 1 mV, twice the slow waves of a child. The EOG also shows frontal EEG; the
        # largest eye movements have 1 mV.
        Kind.EEG: Bounds(2.0, 1000.0),
        Kind.EOG: Bounds(2.0, 2000.0),
        # Electrodes of 5 kΩ alone have a thermal noise of 0.5 µV peak to peak in 0-100 Hz, so that
        # even an atonic chin has more than 0.2 µV; clenched teeth reach about 1 mV.
        Kind.EMG: Bounds(0.2, 2000.0),
        # An R wave has 0.5 to 2 mV. In a slow rhythm, half of the seconds have only P and T waves.
        Kind.ECG: Bounds(20.0, 20_000.0),
    }
)
PLAUSIBLE_LEVEL = Bounds(0.02, 500.0)
"""Plausible EMG levels in µV; the lowest epochs of SC4001 have 0.1 µV."""

_ANY = Bounds(0.0, inf)


@dataclass(frozen=True)
class Pages:
    """Pages of 30 s at which a recording is examined.

    Parameters
    ----------
    segments
        Gapless segments in time order.
    record_s
        Duration of a data record.
    starts_s
        Start of each page in seconds; a page lies within one segment.
    """

    segments: Sequence[Segment]
    record_s: Fraction
    starts_s: Sequence[float]

    def __len__(self) -> int:
        return len(self.starts_s)

    def firsts(self, rate: Fraction) -> list[int]:
        """Return the index of the first sample of each page, in a channel of this rate."""
        onsets_s = np.array([segment.onset_s for segment in self.segments])
        records = np.array([segment.first for segment in self.segments])
        starts_s = np.array(self.starts_s)
        own = np.maximum(np.searchsorted(onsets_s, starts_s + TOLERANCE_S, "right") - 1, 0)
        offsets = np.maximum(np.rint((starts_s - onsets_s[own]) * float(rate)), 0)
        firsts: list[int] = (
            records[own] * int(rate * self.record_s) + offsets.astype(int)
        ).tolist()
        return firsts


@dataclass(frozen=True)
class Extremes:
    """The extremes of a channel.

    Parameters
    ----------
    low_uv, high_uv : (n_pages, 30)
        The lowest and highest sample of each second in µV.
    saturated
        The seconds of which at least half of the samples are the channel's lowest or highest.
    range_uv
        Difference between the lowest and the highest sample of the whole channel.
    """

    low_uv: Samples
    high_uv: Samples
    saturated: Mask
    range_uv: float

    @property
    def constant(self) -> Mask:
        """The seconds in which the signal does not change."""
        return np.equal(self.low_uv, self.high_uv)


def extremes(samples: Wave, rate: Fraction, pages: Pages) -> Extremes:
    """Return the extremes of each second of a channel.

    A channel without saturation has its highest and its lowest value of the night now and then; at
    the rails of an amplifier or a converter it stays there.
    """
    low_uv, high_uv = (np.zeros((len(pages), PAGE_S)) for _ in range(2))
    for chunk, seconds in _chunks(samples, rate, pages):
        low_uv[chunk], high_uv[chunk] = seconds.min(axis=2), seconds.max(axis=2)
    saturated = np.zeros((len(pages), PAGE_S), np.bool_)
    low, high = samples.min(), samples.max()
    for chunk, seconds in _chunks(samples, rate, pages):
        if low < high and (low_uv[chunk].min() == low or high_uv[chunk].max() == high):
            saturated[chunk] = ((seconds == low) | (seconds == high)).mean(axis=2) >= HALF
    return Extremes(low_uv, high_uv, saturated, float(high - low))


def wave(
    samples: Samples, rate: Fraction, pages: Pages, kind: Kind, channels: Sequence[Extremes]
) -> LaneQuality:
    """Return the quality of a lane that shows a waveform.

    Parameters
    ----------
    samples : (n,)
        The derivation in µV, not filtered.
    channels
        Extremes of the electrode's channel and, if there is one, of the reference's channel. The
        lane is also flat where the electrode is: it then shows the reference alone.
    """
    bounds = PLAUSIBLE.get(kind, _ANY)
    own = channels[0] if len(channels) == 1 else extremes(samples, rate, pages)
    peaks_uv = own.high_uv - own.low_uv
    # A channel that never leaves a microvolt or two is not at the rails of any amplifier.
    railed = [one.saturated for one in channels if one.range_uv >= bounds.low_uv]
    saturated = np.logical_or.reduce([np.zeros_like(own.saturated), *railed])
    flat = (own.constant | channels[0].constant) & ~saturated
    alive = ~(flat | saturated)
    implausible = alive & ((peaks_uv < bounds.low_uv) | (peaks_uv > bounds.high_uv))
    mains = alive & _hum(samples, rate, pages)
    return _counted(flat=flat, saturated=saturated, implausible=implausible, mains=mains)


def level(samples: Samples, rate: Fraction, pages: Pages) -> LaneQuality:
    """Return the quality of a lane that shows an EMG level, which changes from second to second.

    It is flat if constant in the whole epoch, and implausible by its median.
    """
    places = np.array(pages.firsts(rate))[:, np.newaxis] + np.arange(max(1, round(PAGE_S * rate)))
    values_uv = samples[np.minimum(places, len(samples) - 1)]
    middle_uv = np.median(values_uv, axis=1, keepdims=True)
    flat = np.ptp(values_uv, axis=1, keepdims=True) == 0
    low, high = PLAUSIBLE_LEVEL.low_uv, PLAUSIBLE_LEVEL.high_uv
    implausible = ~flat & ((middle_uv < low) | (middle_uv > high))
    none = np.zeros_like(flat)
    return _counted(flat=flat, saturated=none, implausible=implausible, mains=none)


def _chunks(samples: WaveT, rate: Fraction, pages: Pages) -> Iterator[tuple[slice, WaveT]]:
    """Yield some pages at a time: their numbers, and their samples by second, (n, 30, n_second)."""
    n_second = _per_second(rate, len(samples))
    n_page = PAGE_S * n_second
    last = max(0, len(samples) - n_page)  # rounding of rates may drop the last sample
    firsts = pages.firsts(rate)
    for i in range(0, len(firsts), N_CHUNK):
        starts = [min(first, last) for first in firsts[i : i + N_CHUNK]]
        stop = starts[0] + len(starts) * n_page
        if starts == list(range(starts[0], stop, n_page)):  # gapless: no copy
            found = samples[starts[0] : stop]
        else:
            found = np.concatenate([samples[start : start + n_page] for start in starts])
        yield slice(i, i + len(starts)), found.reshape(len(starts), PAGE_S, n_second)


def _per_second(rate: Fraction, n_samples: int) -> int:
    """Return the whole samples of a second; fewer where rounding shortens the only page."""
    return max(1, min(floor(rate), n_samples // PAGE_S))


def _hum(samples: Samples, rate: Fraction, pages: Pages) -> Mask:
    """Return the seconds in which mains of one frequency has more power than everything else.

    Every third second is examined, as hum is steady, and stands for three.
    """
    n_second = _per_second(rate, len(samples))
    hum = np.zeros((len(pages), PAGE_S), np.bool_)
    probe = _probe(n_second, float(rate))
    if probe.shape[1] == 1:
        return hum
    for chunk, seconds in _chunks(samples, rate, pages):
        thirds = seconds[:, 1::3]
        means, *parts = np.moveaxis(thirds @ probe, -1, 0)
        power = np.einsum("ijk,ijk->ij", thirds, thirds) / n_second
        total = power - means**2
        total[total < ROUNDING * power] = np.inf  # a constant second has no hum
        for cosine, sine in zip(parts[::2], parts[1::2], strict=True):
            louder = 2 * (cosine**2 + sine**2) > HALF * total  # half the amplitude squared
            hum[chunk] |= louder.repeat(3, axis=1)
    return hum


def _probe(n_second: int, rate_hz: float) -> Samples:
    """Return columns whose products with a second are its mean and half the amplitude of mains.

    Each mains frequency has a cosine and a sine under a Hann window, which makes them 2 Hz wide. At
    a lower rate it appears folded (60 Hz as 40 Hz in samples at 100 Hz); it is left out if it would
    be within the EEG. At half the rate (50 Hz at 100 Hz) it coincides with its mirror image, so that
    a product is its amplitude, and is divided by the square root of 2 to stand for its power. Both
    frequencies are tried everywhere, as the one that a user states may be wrong.
    """
    columns = [np.full(n_second, 1 / n_second)]
    window = np.hanning(n_second + 1)[:-1]
    phase = 2 * np.pi * np.arange(n_second) / rate_hz
    for mains_hz in MAINS_HZ:
        hz = abs(mains_hz - rate_hz * round(mains_hz / rate_hz))
        if hz > EEG_STOP_HZ:
            scale = 1 if hz < NEARLY_HALF * rate_hz else 0.5**0.5
            for tone in (np.cos(hz * phase), np.sin(hz * phase)):
                weighted = window * (tone - (window * tone).sum() / window.sum())
                columns.append(scale * weighted / window.sum())
    return np.column_stack(columns)


def _counted(flat: Mask, saturated: Mask, implausible: Mask, mains: Mask) -> LaneQuality:
    """Return the quality from the seconds that have each defect."""
    counts: dict[Defect, int] = {
        "flat": _n_obscured(flat),
        "saturated": _n_obscured(saturated),
        "implausible": _n_obscured(implausible),
        "mains": _n_obscured(mains),
    }
    n_epochs = len(flat)
    usable = n_epochs - _n_obscured(flat | saturated | implausible | mains)
    return lane_quality(counts, usable, n_epochs)


def _n_obscured(seconds: Mask) -> int:
    """Return the number of epochs of which at least half of the seconds have a defect."""
    return int(np.count_nonzero(seconds.mean(axis=1) >= HALF))
