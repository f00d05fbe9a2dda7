"""Deriving: read the lanes of a recording in µV, as recorded, with their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import Derivation, Kind
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.recordings.usable import is_level
from psgimg.builder.signals import quality_measure
from psgimg.builder.signals.quality import LaneQuality
from psgimg.builder.signals.quality_measure import Pages

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LaneState:
    """What a lane holds; the defaults are those of an absent lane.

    Parameters
    ----------
    envelope
        Whether it holds an EMG level instead of a waveform.
    flat
        Whether it is constant, as with a disconnected electrode.
    quality
        None if it was not measured.
    """

    envelope: bool = False
    flat: bool = False
    quality: LaneQuality | None = None


@dataclass(frozen=True, eq=False)
class RawLane:
    """A lane in µV before any filter, segments concatenated, at its exact rate."""

    samples_uv: Samples
    rate: Fraction
    state: LaneState


def read_lane(
    file: SignalFile, kind: Kind, derivation: Derivation, page_starts_s: Sequence[float] = ()
) -> RawLane:
    """Read a derivation as a lane of some kind, and measure its quality on the given pages.

    Parameters
    ----------
    page_starts_s
        Starts of the pages in seconds, each covered by one segment; empty for no measurement.

    Raises
    ------
    RecordingError
        If the unit of a channel is not a voltage, or its range is empty.
    """
    rate = file.sfreqs_hz[derivation.plus]
    level = is_level(kind, rate)
    pages = Pages(file.segments, file.record_s, page_starts_s)
    channels = []
    samples = file.read_uv(derivation.plus)
    if pages and not level:
        channels.append(quality_measure.extremes(samples, rate, pages))
    if derivation.minus is not None:
        reference = file.read_uv(derivation.minus)
        if pages:
            reference_rate = file.sfreqs_hz[derivation.minus]
            channels.append(quality_measure.extremes(reference, reference_rate, pages))
        _subtract(file, derivation, samples, reference)
    if derivation.sign < 0:
        np.negative(samples, out=samples)
    if channels and derivation.minus is None:  # turned or not
        range_uv = channels[0].range_uv
    else:
        range_uv = float(np.ptp(samples))
    if not pages:
        quality = None
    elif level:
        quality = quality_measure.level(samples, rate, pages)
    else:
        quality = quality_measure.wave(samples, rate, pages, kind, channels)
    return RawLane(samples, rate, LaneState(level, range_uv == 0, quality))


def _subtract(
    file: SignalFile, derivation: Derivation, samples: Samples, reference: Samples
) -> None:
    """Subtract the reference in place, segment by segment: resampling must not cross a gap."""
    from psgimg.builder.signals.resampling import resample  # loads Numba

    assert derivation.minus is not None
    rate, reference_rate = file.sfreqs_hz[derivation.plus], file.sfreqs_hz[derivation.minus]
    for segment in file.segments:
        part = in_segment(samples, rate, file.record_s, segment)
        other = in_segment(reference, reference_rate, file.record_s, segment)
        if reference_rate != rate and len(other):
            offset_uv = other[0]  # the ripple of the resampling filter is 0.07 % of it
            other = resample(other - offset_uv, reference_rate, float(rate)) + offset_uv
        both = min(len(part), len(other))  # rounding of rates may drop the last sample
        part[:both] -= other[:both]
        part[both:] -= other[-1:]


def in_segment(samples: Samples, rate: Fraction, record_s: Fraction, segment: Segment) -> Samples:
    """Return a view of the samples of one gapless segment; ``rate`` is theirs, in Hz."""
    n_record = int(rate * record_s)
    return samples[segment.first * n_record : segment.stop * n_record]
