"""Filtering: band-pass, notch filter and resample the lanes of a recording.

Each lane is filtered without phase shift over every gapless stretch of the whole recording, then
resampled with an anti-aliasing filter. Pages are cut afterwards (``epoching.py``), so that filter
transients occur only at the ends of a stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import atan, ceil, floor, pi, sqrt, tan

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import Derivation, Kind, Lane, Montage
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.signals.deriving import (
    LaneState,
    RawLane,
    Samples,
    in_segment,
    read_lane,
    resample,
)
from psgimg.builder.signals.filter_settings import Filters
from psgimg.builder.signals.quality import LaneQuality

Corruptor = Callable[[Lane, Samples, Fraction], Samples]
"""Changes a lane's raw samples, in µV at a rate in Hz, before they are filtered (``corrupt.py``)."""

MIN_SPAN_S = 1.0
"""A shorter piece between two gaps is dropped: it can't be resampled, and no page fits in it."""

NOTCH_Q = 30.0
EDGE_S = 10.0
"""Signal kept on either side of the requested span, so that it has no resampling transients."""


@dataclass(frozen=True)
class Stretch:
    """A gapless stretch of all lanes.

    Parameters
    ----------
    data_uv : (n_lanes, n_samples) float32
        NaN throughout a lane that the recording does not have.
    start_s
        Time of the first sample in seconds from the recording's start.
    """

    data_uv: npt.NDArray[np.float32]
    start_s: float


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
    # Filled lane by lane: all lanes in float64 at once would take twice the memory of the night.
    pages_uv = [_empty(len(derivations), edf, span, sfreq_hz) for span in spans]
    states = []
    for number, (lane, derivation) in enumerate(zip(montage.lanes, derivations, strict=True)):
        state = LaneState()
        if derivation is not None:
            raw = read_lane(edf, lane.kind, derivation, page_starts_s)
            rows = [data_uv[number] for data_uv in pages_uv]
            _fill(rows, edf, lane, raw, spans, filters, mains_hz, sfreq_hz, corrupt)
            state = raw.state
            del raw  # before the next lane is read
        states.append(state)
    return Signals(
        sfreq_hz,
        tuple(derivation.name if derivation else None for derivation in derivations),
        tuple(state.envelope for state in states),
        tuple(state.flat for state in states),
        tuple(
            Stretch(data_uv, span.start_s) for data_uv, span in zip(pages_uv, spans, strict=True)
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


def _empty(n_lanes: int, edf: SignalFile, span: _Span, sfreq_hz: float) -> npt.NDArray[np.float32]:
    """Return an array for a span of all lanes at the new rate, NaN until filled."""
    n_samples = floor((span.stop - span.first) * edf.record_s * Fraction(sfreq_hz))
    return np.full((n_lanes, n_samples), np.nan, np.float32)


def _fill(
    rows: Sequence[npt.NDArray[np.float32]],
    edf: SignalFile,
    lane: Lane,
    recorded: RawLane,
    spans: Sequence[_Span],
    filters: Filters,
    mains_hz: float,
    sfreq_hz: float,
    corrupt: Corruptor | None,
) -> None:
    """Filter a lane over each segment, and fill its rows with the requested spans."""
    raw, rate, envelope = recorded.samples_uv, recorded.rate, recorded.state.envelope
    if corrupt is not None:  # a lane made flat here is still drawn, as part of the experiment
        raw = corrupt(lane, raw, rate)
    n_record = int(rate * edf.record_s)
    for row, span in zip(rows, spans, strict=True):
        part = in_segment(raw, rate, edf.record_s, span.segment)
        if not envelope:
            part = _filter(part, float(rate), filters, lane.kind, mains_hz)
        offset = span.segment.first
        part = part[(span.first - offset) * n_record : (span.stop - offset) * n_record]
        # float32 from here on: its rounding is far below 1 µV, and it halves the memory.
        wave = resample(part.astype(np.float32), rate, sfreq_hz, linear=envelope)
        row[: len(wave)] = wave[: len(row)]
        row[len(wave) :] = wave[-1]  # rounding of rates may drop the last sample


def _filter(
    samples: Samples, rate_hz: float, filters: Filters, kind: Kind, mains_hz: float
) -> Samples:
    """Apply band-pass and mains notch without phase shift; edges at 0 or beyond Nyquist are open."""
    from scipy.signal import butter, iirnotch, tf2sos

    band, nyquist = filters.band(kind), rate_hz / 2
    low = band.low_hz if 0 < band.low_hz < nyquist else None
    high = band.high_hz if band.high_hz < 0.95 * nyquist else None
    # Separate high-pass and low-pass: a 0.3-35 Hz Butterworth band-pass is ill-conditioned at 512 Hz.
    sections = []
    if low is not None:
        order = filters.order // 2
        low = _one_pass_hz(low, rate_hz, -order)
        sections.append(butter(order, low, "highpass", fs=rate_hz, output="sos"))
    if high is not None:
        high = _one_pass_hz(high, rate_hz, filters.order)
        sections.append(butter(filters.order, high, "lowpass", fs=rate_hz, output="sos"))
    if filters.notch and mains_hz < 0.98 * nyquist:
        sections.append(tf2sos(*iirnotch(mains_hz, NOTCH_Q, fs=rate_hz)))
    if not sections:
        return samples
    settle = min(len(samples) - 1, round(rate_hz / min(band.low_hz or 1.0, 1.0)))
    return _both_ways(np.concatenate(sections), samples, settle)


def _one_pass_hz(edge_hz: float, rate_hz: float, order: int) -> float:
    """Return the edge of a Butterworth filter that attenuates ``edge_hz`` by 3 dB when run twice.

    At its own edge, it attenuates by 3 dB in each pass. ``order`` is negative for a high-pass.
    """
    analogue = tan(pi * edge_hz / rate_hz) * (sqrt(2) - 1) ** (-1 / (2 * order))
    return rate_hz / pi * atan(analogue)


def _both_ways(sos: Samples, samples: Samples, n_pad: int) -> Samples:
    """Filter forwards, then backwards, like ``scipy.signal.sosfiltfilt`` with half its memory.

    That function holds up to four copies of the signal; this one releases each as soon as possible.
    """
    from scipy.signal import sosfilt, sosfilt_zi

    start = 2 * samples[0] - samples[n_pad:0:-1]
    stop = 2 * samples[-1] - samples[-2 : -n_pad - 2 : -1]
    padded = np.concatenate((start, samples, stop))
    at_rest = sosfilt_zi(sos)
    forwards, _ = sosfilt(sos, padded, zi=at_rest * padded[0])
    del padded
    backwards, _ = sosfilt(sos, forwards[::-1], zi=at_rest * forwards[-1])
    filtered: Samples = backwards[::-1][n_pad : n_pad + len(samples)]
    return filtered
