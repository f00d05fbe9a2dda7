"""Corrupt: corruptions carried out on a lane's raw samples, before any filter has seen them.

What comes out is a function of the samples, the corruption (its seed with it) and the names of
corpus, recording and lane: neither other lanes nor the order of work decide anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.edf_header import Segment
from psgimg.builder.recordings.montage import Lane, Montage
from psgimg.builder.signals.corruption_kinds import ANY, MAINS
from psgimg.builder.signals.corruption_spec import Corruption
from psgimg.builder.signals.filter_settings import Band, Filters
from psgimg.builder.signals.filtering import Corruptor, Samples, is_level

MUSCLE_HZ = (20.0, 100.0)
"""Band of a muscle's activity, as far as the recording's rate can hold it."""

BURST_S = (0.5, 3.0)
DECAY_S = (0.1, 0.5)
"""Time constant of what follows an electrode's pop."""

HARMONICS = ((1, 1.0), (2, 0.1), (3, 0.2), (5, 0.1))
"""Mains hum: multiples of its frequency, and their height; the odd ones are the stronger."""

WINDOW_S = 4.0
N_WINDOWS = 1024
"""Windows in which a lane's power is measured: their median does not heed movements and gaps."""

MAINS_WIDTH_HZ = 2.0
BLOCK = 1 << 20


@dataclass(frozen=True)
class RecordingContext:
    """What a corruption depends on in a recording.

    Parameters
    ----------
    segments, record_s
        Its gapless stretches, which count records, and the length of a record.
    span_s
        Start of its first page and end of its last.
    """

    corpus: str
    recording: str
    segments: Sequence[Segment]
    record_s: Fraction
    span_s: tuple[float, float]
    mains_hz: float
    filters: Filters


def corruptor(corruptions: Sequence[Corruption], recording: RecordingContext) -> Corruptor:
    """A function that carries out the corruptions, in order, on any lane of a recording, in place."""

    def corrupt(lane: Lane, samples_uv: Samples, rate: Fraction) -> Samples:
        for number, one in enumerate(corruptions):
            if one.falls_on(lane) and not _hindrance(one, lane, rate, recording.mains_hz):
                _WORK[one.kind](
                    one, samples_uv, _LaneContext(recording, lane, rate, f"{number}/{one.seed}")
                )
        return samples_uv

    return corrupt


def notes(
    corruptions: Sequence[Corruption],
    montage: Montage,
    rates: Sequence[Fraction | None],
    mains_hz: float,
) -> list[str]:
    """What the corruptions could not reach in a recording, for the report.

    Parameters
    ----------
    rates
        Of the channel in each lane, in Hz; None for a lane that was not recorded.
    """
    found = []
    for one in corruptions:
        meant = [pair for pair in zip(montage.lanes, rates, strict=True) if one.falls_on(pair[0])]
        there = [(lane, rate) for lane, rate in meant if rate is not None]
        if not there:
            found.append(f"{one.kind} fell on no lane: none of those it is meant for was recorded")
        for lane, rate in there:
            if why := _hindrance(one, lane, rate, mains_hz):
                found.append(f"{one.kind} left {lane.name} as it was: {why}")
    return found


def _hindrance(one: Corruption, lane: Lane, rate: Fraction, mains_hz: float) -> str:
    """Why a corruption can't be in a lane's samples; empty if it can."""
    if is_level(lane.kind, rate) and not one.form.on_levels:
        return "recorded as a level, without a waveform"
    if one.kind == "emg" and rate * 0.45 <= MUSCLE_HZ[0]:
        return f"{float(rate):g} samples a second hold no muscle activity"
    if one.kind == "hum" and rate / 2 <= _hum_hz(one, mains_hz):
        return f"{float(rate):g} samples a second hold no {_hum_hz(one, mains_hz):g} Hz"
    return ""


def _hum_hz(one: Corruption, mains_hz: float) -> float:
    return mains_hz if one.params["hz"] == MAINS else one.number("hz")


@dataclass(frozen=True)
class _LaneContext:
    """One lane of a recording, and the seed of one corruption of it."""

    recording: RecordingContext
    lane: Lane
    rate: Fraction
    seed: str

    @property
    def rate_hz(self) -> float:
        return float(self.rate)

    @property
    def band(self) -> Band:
        return self.recording.filters.band(self.lane.kind)

    @property
    def duration_s(self) -> float:
        return self.recording.segments[-1].stop_s(self.recording.record_s)

    def rng(self, *, of_lane: bool = True) -> np.random.Generator:
        """Generator of this lane; or of the recording, for events that all lanes share."""
        names = [self.seed, self.recording.corpus, self.recording.recording]
        key = "/".join([*names, self.lane.name] if of_lane else names)
        return np.random.Generator(
            np.random.PCG64(int(hashlib.sha256(key.encode()).hexdigest(), 16))
        )

    def stretches(self, samples: Samples) -> Iterator[tuple[float, Samples]]:
        """Time of the first sample, and the samples, of each gapless stretch; views."""
        n_record = int(self.rate * self.recording.record_s)
        for segment in self.recording.segments:
            yield segment.onset_s, samples[segment.first * n_record : segment.stop * n_record]

    def put(self, samples: Samples, onset_s: float, what: Samples) -> None:
        """Add something that begins at a time; what falls into a gap is gone."""
        for start_s, part in self.stretches(samples):
            first = round((onset_s - start_s) * self.rate_hz)
            here = part[max(0, first) : max(0, first + len(what))]
            skipped = max(0, -first)
            here += what[skipped : skipped + len(here)]

    def rest_uv(self, samples: Samples) -> float:
        """What the channel shows of nothing: its own offset, so that no filter sees a step."""
        return 0.0 if is_level(self.lane.kind, self.rate) else float(np.median(samples))


def _lost(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    rng, (start_s, stop_s) = at.rng(), at.recording.span_s
    hit = rng.random() < one.number("rate")
    drawn = rng.random()  # always: later numbers do not depend on the spec
    share = drawn if one.params["from"] == ANY else one.number("from")
    if hit:
        lost_s = start_s + share * (stop_s - start_s) if share else 0.0
        rest_uv = at.rest_uv(samples)
        for onset_s, part in at.stretches(samples):
            part[max(0, round((lost_s - onset_s) * at.rate_hz)) :] = rest_uv


def _flat(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    length_s, rest_uv = one.number("length_s"), at.rest_uv(samples)
    hits = at.rng().random(int(at.duration_s / length_s) + 1) < one.number("share")
    for onset_s, part in at.stretches(samples):
        times_s = onset_s + np.arange(len(part)) / at.rate_hz
        part[hits[(times_s / length_s).astype(int)]] = rest_uv


def _polarity(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    if at.rng().random() < one.number("rate"):
        np.negative(samples, out=samples)


def _hum(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    """Keeps its phase over the whole recording, gaps included."""
    mains_hz, phases = _hum_hz(one, at.recording.mains_hz), at.rng().random(len(HARMONICS))
    for start_s, part in at.stretches(samples):
        for first in range(0, len(part), BLOCK):
            block = part[first : first + BLOCK]
            times_s = start_s + (first + np.arange(len(block))) / at.rate_hz
            for (multiple, height), phase in zip(HARMONICS, phases, strict=True):
                if multiple * mains_hz < at.rate_hz / 2:
                    turns = multiple * mains_hz * times_s + phase
                    block += one.number("uv") * height * np.sin(2 * np.pi * turns)


def _emg(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    """Bursts come in all lanes at once, as from a movement; each lane has its own share of them."""
    from scipy.signal import butter, sosfilt
    from scipy.signal.windows import tukey

    high_hz = min(MUSCLE_HZ[1], 0.475 * at.rate_hz)
    sos = butter(2, (MUSCLE_HZ[0], high_hz), "bandpass", fs=at.rate_hz, output="sos")
    shared, rng = at.rng(of_lane=False), at.rng()
    settle = round(0.5 * at.rate_hz)
    for onset_s in _onsets_s(one, shared, at):
        n_samples = round(shared.uniform(*BURST_S) * at.rate_hz)
        wave = sosfilt(sos, rng.standard_normal(settle + n_samples))[settle:]
        height = one.number("uv") * rng.lognormal(-0.125, 0.5) / wave.std()  # 1 on average
        at.put(samples, onset_s, height * wave * tukey(n_samples, 0.5))


def _pops(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    """Each is a step that the electrode recovers from by itself."""
    rng = at.rng()
    for onset_s in _onsets_s(one, rng, at):
        height = one.number("uv") * rng.uniform(0.5, 1.5) * rng.choice((-1.0, 1.0))
        decay_s = rng.uniform(*DECAY_S)
        times_s = np.arange(round(8 * decay_s * at.rate_hz)) / at.rate_hz
        at.put(samples, onset_s, height * np.exp(-times_s / decay_s))


def _onsets_s(one: Corruption, rng: np.random.Generator, at: _LaneContext) -> Samples:
    n_events = rng.poisson(one.number("per_min") * at.duration_s / 60)
    return np.sort(rng.uniform(0, at.duration_s, n_events))


def _scale(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    samples *= one.number("factor")


def _noise(one: Corruption, samples: Samples, at: _LaneContext) -> None:
    """Its power is measured as the lane's is: where the lane's filter lets something pass."""
    noise = at.rng().standard_normal(len(samples))
    if one.params["colour"] == "pink":
        noise = _pink(noise, at.rate_hz)
    ratio = _power_uv2(samples, at) / _power_uv2(noise, at)
    noise *= np.sqrt(ratio / 10 ** (one.number("snr_db") / 10))
    samples += noise


def _pink(white: Samples, rate_hz: float) -> Samples:
    """White noise filtered to 1/f: one pole and one zero in every two octaves, 3 dB an octave."""
    from scipy.signal import bilinear_zpk, sosfilt, zpk2sos

    poles_hz = np.geomspace(0.05, 0.05 * 4**7, 8)
    poles_hz = poles_hz[poles_hz < rate_hz / 4]
    digital = bilinear_zpk(-4 * np.pi * poles_hz, -2 * np.pi * poles_hz, 1.0, rate_hz)
    pink: Samples = sosfilt(zpk2sos(*digital), white)
    return pink


def _power_uv2(samples: Samples, at: _LaneContext) -> float:
    """Median power in the lane's pass band over windows of the drawn pages, without the mains."""
    n_window = round(WINDOW_S * at.rate_hz)
    frequency_hz = np.fft.rfftfreq(n_window, 1 / at.rate_hz)
    passed = (frequency_hz >= at.band.low_hz) & (frequency_hz <= at.band.high_hz)
    passed &= abs(frequency_hz - at.recording.mains_hz) > MAINS_WIDTH_HZ
    windows = _windows(samples, at, n_window)
    spectra = abs(np.fft.rfft((windows - windows.mean(1, keepdims=True)) * np.hanning(n_window)))
    return float(np.median((spectra[:, passed] ** 2).sum(1)))


def _windows(samples: Samples, at: _LaneContext, n_window: int) -> Samples:
    """Windows of what is drawn, spread evenly, shape (n_windows, n_window)."""
    found: list[npt.NDArray[np.float64]] = []
    for onset_s, part in at.stretches(samples):
        edges = (np.array(at.recording.span_s) - onset_s) * at.rate_hz
        first, stop = np.clip(np.round(edges), 0, len(part)).astype(int)
        n_here = (stop - first) // n_window
        found.append(part[first : first + n_here * n_window].reshape(n_here, n_window))
    n_found = sum(map(len, found))
    wanted = np.unique(np.linspace(0, n_found - 1, min(N_WINDOWS, n_found)).round().astype(int))
    chosen: Samples = np.concatenate(found)[wanted]
    return chosen


_WORK: dict[str, Callable[[Corruption, Samples, _LaneContext], None]] = {
    "lost": _lost,
    "flat": _flat,
    "polarity": _polarity,
    "hum": _hum,
    "emg": _emg,
    "pops": _pops,
    "scale": _scale,
    "noise": _noise,
}
