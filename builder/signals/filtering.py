"""Filtering: read a recording's lanes in µV, band-pass, notch filter and resample them.

Each lane is filtered without phase shift over every gapless stretch of the whole recording, then
resampled with an anti-aliasing filter. Pages are cut afterwards (``epoching.py``), so that filter
transients occur only at the ends of a stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import Derivation, Kind, Lane, Montage
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.signals.filter_settings import Filters

Samples = npt.NDArray[np.float64]
Wave = npt.NDArray[np.float64] | npt.NDArray[np.float32]
Corruptor = Callable[[Lane, Samples, Fraction], Samples]
"""Changes a lane's raw samples, in µV at a rate in Hz, before they are filtered (``corrupt.py``)."""

ENVELOPE_HZ = 20.0
"""An EMG sampled at this rate or slower is a level, not a waveform (Sleep-EDF SC: 1 Hz, rectified)."""

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
    """

    sfreq_hz: float
    lanes: tuple[str | None, ...]
    envelopes: tuple[bool, ...]
    flat: tuple[bool, ...]
    stretches: tuple[Stretch, ...]


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
) -> Signals:
    """Read, derive, filter and resample the lanes of a recording.

    Parameters
    ----------
    span_s
        Start and stop of the requested signal, in seconds from the recording's start. Filters
        nevertheless run over the whole recording.
    corrupt
        Function applied to the raw samples of each lane before they are filtered.

    Raises
    ------
    RecordingError
        If the unit of a required channel is not a voltage, or its range is empty.
    """
    spans = [span for segment in edf.segments if (span := _records(edf, segment, span_s))]
    # Filled lane by lane: all lanes in float64 at once would take twice the memory of the night.
    pages_uv = [_empty(len(derivations), edf, span, sfreq_hz) for span in spans]
    envelopes, flat = [], []
    for number, (lane, derivation) in enumerate(zip(montage.lanes, derivations, strict=True)):
        rows = [data_uv[number] for data_uv in pages_uv]
        state = _Lane(False, False)
        if derivation is not None:
            state = _fill(rows, edf, lane, derivation, spans, filters, mains_hz, sfreq_hz, corrupt)
        envelopes.append(state.envelope)
        flat.append(state.flat)
    return Signals(
        sfreq_hz,
        tuple(derivation.name if derivation else None for derivation in derivations),
        tuple(envelopes),
        tuple(flat),
        tuple(
            Stretch(data_uv, span.start_s) for data_uv, span in zip(pages_uv, spans, strict=True)
        ),
    )


def is_level(kind: Kind, rate: Fraction) -> bool:
    """Whether a channel of this rate holds an EMG level instead of a waveform."""
    return kind is Kind.EMG and rate <= ENVELOPE_HZ


@dataclass(frozen=True)
class _Span:
    """A segment to be filtered, and the whole records of it that are kept."""

    segment: Segment
    first: int
    stop: int
    start_s: float


@dataclass(frozen=True)
class _Lane:
    envelope: bool
    flat: bool


def _records(edf: SignalFile, segment: Segment, span_s: tuple[float, float]) -> _Span | None:
    """Return the records of a segment that cover the requested span and its edges."""
    before = floor((span_s[0] - EDGE_S - segment.onset_s) / edf.record_s)
    after = ceil((span_s[1] + EDGE_S - segment.onset_s) / edf.record_s)
    first, stop = max(0, before), min(segment.stop - segment.first, after)
    if stop <= first:
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
    derivation: Derivation,
    spans: Sequence[_Span],
    filters: Filters,
    mains_hz: float,
    sfreq_hz: float,
    corrupt: Corruptor | None,
) -> _Lane:
    """Read a lane, filter it over each segment, and fill its rows with the requested spans."""
    raw, rate = _derive(edf, derivation)
    flat = bool(np.ptp(raw) == 0)
    envelope = is_level(lane.kind, rate)
    if corrupt is not None:  # a lane made flat here is still drawn, as part of the experiment
        raw = corrupt(lane, raw, rate)
    n_record = int(rate * edf.record_s)
    for row, span in zip(rows, spans, strict=True):
        part = raw[span.segment.first * n_record : span.segment.stop * n_record]
        if not envelope:
            part = _filter(part, float(rate), filters, lane.kind, mains_hz)
        offset = span.segment.first
        part = part[(span.first - offset) * n_record : (span.stop - offset) * n_record]
        # float32 from here on: its rounding is far below 1 µV, and it halves the memory.
        wave = _resample(part.astype(np.float32), rate, sfreq_hz, linear=envelope)
        row[: len(wave)] = wave[: len(row)]
        row[len(wave) :] = wave[-1]  # rounding of rates may drop the last sample
    return _Lane(envelope, flat)


def _derive(edf: SignalFile, derivation: Derivation) -> tuple[Samples, Fraction]:
    """Return the samples of a derivation in µV and their exact rate."""
    rate = edf.sfreqs_hz[derivation.plus]
    samples = edf.read_uv(derivation.plus)
    if derivation.sign < 0:
        np.negative(samples, out=samples)
    if derivation.minus is not None:
        reference: Wave = edf.read_uv(derivation.minus)
        reference_rate = edf.sfreqs_hz[derivation.minus]
        if reference_rate != rate:
            reference = _resample(reference, reference_rate, float(rate))
        both = min(len(samples), len(reference))  # rounding of rates may drop the last sample
        samples[:both] -= reference[:both]
        samples[both:] -= reference[-1]
    return samples, rate


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
        sections.append(butter(filters.order // 2, low, "highpass", fs=rate_hz, output="sos"))
    if high is not None:
        sections.append(butter(filters.order, high, "lowpass", fs=rate_hz, output="sos"))
    if filters.notch and mains_hz < 0.98 * nyquist:
        sections.append(tf2sos(*iirnotch(mains_hz, NOTCH_Q, fs=rate_hz)))
    if not sections:
        return samples
    settle = min(len(samples) - 1, round(rate_hz / min(band.low_hz or 1.0, 1.0)))
    return _both_ways(np.concatenate(sections), samples, settle)


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


def _resample(samples: Wave, rate: Fraction, sfreq_hz: float, *, linear: bool = False) -> Wave:
    """Resample without drift and without aliasing.

    Rates are exact fractions (MASS has 256.016 Hz): the up/down ratio is the simplest one that
    drifts by less than half a sample over the whole stretch, or the finest with a filter of usable
    length. ``linear`` interpolates slow levels, which have no frequency that could alias.
    """
    from scipy.signal import resample_poly

    exact = Fraction(sfreq_hz).limit_denominator(10**6) / rate
    n_out = floor(len(samples) * exact)
    if linear:
        times = np.arange(n_out) / float(exact)
        return np.interp(times, np.arange(len(samples)), samples)
    ratio = next(
        (
            close
            for limit in (10**2, 10**3, 10**4)
            if abs((close := exact.limit_denominator(limit)) - exact) * len(samples) < 0.5
        ),
        exact.limit_denominator(10**5),  # finer ratios need filters of a gigabyte
    )
    if ratio == 1:
        return samples
    resampled: Wave = resample_poly(samples, ratio.numerator, ratio.denominator, padtype="line")
    return resampled[:n_out]
