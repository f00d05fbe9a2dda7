"""Filtering: band-pass, notch filter and resample the lanes of a recording.

Each lane is filtered without phase shift over every gapless stretch of the whole recording, and kept
at its own rate if that is the lower one. What is asked of it is resampled with an anti-aliasing
filter, page by page (``epoching.py``), so that transients occur only at the ends of a stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import atan, ceil, floor, pi, sqrt, tan
from typing import Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import Derivation, Kind, Lane, Montage
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.signals.deriving import LaneState, RawLane, Samples, in_segment, read_lane
from psgimg.builder.signals.filter_settings import Filters
from psgimg.builder.signals.quality import LaneQuality

Corruptor = Callable[[Lane, Samples, Fraction], Samples]
"""Changes a lane's raw samples, in µV at a rate in Hz, before they are filtered (``corrupt.py``)."""

MIN_SPAN_S = 1.0
"""A shorter piece between two gaps is dropped: it can't be resampled, and no page fits in it."""

NOTCH_Q = 30.0
EDGE_S = 10.0
"""Signal kept on either side of the requested span, so that it has no resampling transients."""


Wave = npt.NDArray[np.float32]


class LaneWave(Protocol):
    """A lane that can be had at another rate, a part at a time."""

    def __len__(self) -> int:
        """Return its number of samples at the other rate."""

    def part(self, first: int, stop: int) -> Wave:
        """Return the samples ``first`` to ``stop`` (exclusive) at the other rate."""


@dataclass(frozen=True)
class Stretch:
    """A gapless stretch of all lanes.

    Parameters
    ----------
    waves
        The lanes from top to bottom; None for one that the recording does not have.
    n_samples
        Number of samples of every lane.
    start_s
        Time of the first sample in seconds from the recording's start.
    """

    waves: tuple[LaneWave | None, ...]
    n_samples: int
    start_s: float

    @classmethod
    def of(cls, data_uv: npt.NDArray[np.float32], start_s: float) -> Stretch:
        """Return samples, (n_lanes, n_samples), as a stretch."""
        from psgimg.builder.signals.resampling import Resampler  # loads Numba

        waves = tuple(Resampler(row, Fraction(1), 1.0) for row in data_uv)
        return cls(waves, data_uv.shape[1], start_s)

    def part(self, first: int, stop: int) -> Wave:
        """Return samples in µV, (n_lanes, stop - first), fewer at the end of the stretch.

        NaN in a lane that the recording does not have.
        """
        stop = min(stop, self.n_samples)
        data_uv = np.empty((len(self.waves), stop - first), np.float32)
        for row, wave in zip(data_uv, self.waves, strict=True):
            if wave is None:
                row[:] = np.nan
                continue
            last = min(stop, len(wave))
            if last > first:
                row[: last - first] = wave.part(first, last)
            if last < stop:  # rounding of rates may drop the last sample
                row[max(0, last - first) :] = wave.part(len(wave) - 1, len(wave))
        return data_uv

    @property
    def data_uv(self) -> Wave:
        """The whole stretch in µV, (n_lanes, n_samples); NaN as in ``part``."""
        return self.part(0, self.n_samples)


@dataclass(frozen=True)
class Signals:
    """The lanes of a recording.

    Parameters
    ----------
    lanes
        Name of the derivation in each lane; None if absent.
    envelopes
        Whether each lane holds an EMG level instead of a waveform.
    flat
        Whether each lane is constant, as with a disconnected electrode.
    quality
        Quality of each lane as recorded; None if it is absent or was not measured.
    """

    sfreq_hz: float
    lanes: tuple[str | None, ...]
    envelopes: tuple[bool, ...]
    flat: tuple[bool, ...]
    stretches: tuple[Stretch, ...]
    quality: tuple[LaneQuality | None, ...] = ()


def read_signals(
    edf: SignalFile,
    montage: Montage,
    derivations: Sequence[Derivation | None],
    *,
    filters: Filters,
    mains_hz: float,
    sfreq_hz: float,
    span_s: tuple[float, float],
    corrupt: Corruptor | None = None,
    page_starts_s: Sequence[float] = (),
) -> Signals:
    """Read, derive, filter and resample the lanes of a recording.

    Parameters
    ----------
    span_s
        Start and stop of the requested signal, in seconds from the recording's start. Filters
        nevertheless run over the whole recording.
    corrupt
        Function applied to the raw samples of each lane before they are filtered.
    page_starts_s
        Starts of the pages by which the quality of the lanes is measured; empty for none.

    Raises
    ------
    RecordingError
        If a required channel can't be converted to µV, which ``recordings.usable`` finds earlier.
    """
    spans = [span for segment in edf.segments if (span := _records(edf, segment, span_s))]
    waves: list[list[LaneWave | None]] = []
    states = []
    for lane, derivation in zip(montage.lanes, derivations, strict=True):
        if derivation is None:
            waves.append([None] * len(spans))
            states.append(LaneState())
            continue
        raw = read_lane(edf, lane.kind, derivation, page_starts_s)
        waves.append(_waves(edf, lane, raw, spans, filters, mains_hz, sfreq_hz, corrupt))
        states.append(raw.state)
        del raw  # before the next lane is read
    return Signals(
        sfreq_hz,
        tuple(derivation.name if derivation else None for derivation in derivations),
        tuple(state.envelope for state in states),
        tuple(state.flat for state in states),
        tuple(
            Stretch(tuple(lanes), _n_samples(edf, span, sfreq_hz), span.start_s)
            for span, *lanes in zip(spans, *waves, strict=True)
        ),
        tuple(state.quality for state in states),
    )


@dataclass(frozen=True)
class _Span:
    """A segment to be filtered, and the whole records of it that are kept."""

    segment: Segment
    first: int
    stop: int
    start_s: float


def _records(edf: SignalFile, segment: Segment, span_s: tuple[float, float]) -> _Span | None:
    """Return the records of a segment that cover the requested span and its edges, if any."""
    before = floor((span_s[0] - EDGE_S - segment.onset_s) / edf.record_s)
    after = ceil((span_s[1] + EDGE_S - segment.onset_s) / edf.record_s)
    first, stop = max(0, before), min(segment.stop - segment.first, after)
    if (stop - first) * edf.record_s < MIN_SPAN_S:
        return None
    start_s = segment.onset_s + float(first * edf.record_s)
    return _Span(segment, segment.first + first, segment.first + stop, start_s)


def _n_samples(edf: SignalFile, span: _Span, sfreq_hz: float) -> int:
    return floor((span.stop - span.first) * edf.record_s * Fraction(sfreq_hz))


def _waves(
    edf: SignalFile,
    lane: Lane,
    recorded: RawLane,
    spans: Sequence[_Span],
    filters: Filters,
    mains_hz: float,
    sfreq_hz: float,
    corrupt: Corruptor | None,
) -> list[LaneWave | None]:
    """Filter a lane over each segment, and return the requested spans."""
    from psgimg.builder.signals.resampling import Level, Resampler  # loads Numba

    raw, rate, envelope = recorded.samples_uv, recorded.rate, recorded.state.envelope
    if corrupt is not None:  # a lane made flat here is still drawn, as part of the experiment
        raw = corrupt(lane, raw, rate)
    n_record = int(rate * edf.record_s)
    waves: list[LaneWave | None] = []
    for span in spans:
        part = in_segment(raw, rate, edf.record_s, span.segment)
        if not envelope:
            part = _filter(part, float(rate), filters, lane.kind, mains_hz)
        offset = span.segment.first
        part = part[(span.first - offset) * n_record : (span.stop - offset) * n_record]
        # float32 from here on: its rounding is far below 1 µV, and it halves the memory.
        waves.append((Level if envelope else Resampler)(part, rate, sfreq_hz))
    return waves


def _filter(
    samples: Samples, rate_hz: float, filters: Filters, kind: Kind, mains_hz: float
) -> Samples:
    """Apply band-pass and mains notch without phase shift; edges at 0 or beyond Nyquist are open."""
    from psgimg.builder.signals import sections  # loads Numba

    band, nyquist = filters.band(kind), rate_hz / 2
    low = band.low_hz if 0 < band.low_hz < nyquist else None
    high = band.high_hz if band.high_hz < 0.95 * nyquist else None
    # Separate high-pass and low-pass: a 0.3-35 Hz Butterworth band-pass is ill-conditioned at 512 Hz.
    passes = []
    if low is not None:
        order = filters.order // 2
        passes.append(sections.high_pass(order, _one_pass_hz(low, rate_hz, -order), rate_hz))
    if high is not None:
        order = filters.order
        passes.append(sections.low_pass(order, _one_pass_hz(high, rate_hz, order), rate_hz))
    if filters.notch and mains_hz < 0.98 * nyquist:
        passes.append(sections.notch(mains_hz, NOTCH_Q, rate_hz))
    if not passes:
        return samples
    settle = min(len(samples) - 1, round(rate_hz / min(band.low_hz or 1.0, 1.0)))
    return sections.both_ways(np.concatenate(passes), samples, settle)


def _one_pass_hz(edge_hz: float, rate_hz: float, order: int) -> float:
    """Return the edge of a Butterworth filter that attenuates ``edge_hz`` by 3 dB when run twice.

    At its own edge, it attenuates by 3 dB in each pass. ``order`` is negative for a high-pass.
    """
    analogue = tan(pi * edge_hz / rate_hz) * (sqrt(2) - 1) ** (-1 / (2 * order))
    return rate_hz / pi * atan(analogue)
