"""Corruption effects: what each kind of corruption does to the raw samples of a lane.

The result depends only on the samples, the corruption with its seed, and the names of corpus,
recording and lane; neither other lanes nor the order of processing matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import Lane
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.recordings.usable import is_level
from psgimg.builder.signals.corruption_kinds import ANY, MAINS
from psgimg.builder.signals.corruption_spec import Corruption
from psgimg.builder.signals.deriving import Samples
from psgimg.builder.signals.filter_settings import Band, Filters

MUSCLE_HZ = (20.0, 100.0)
"""Band of muscle activity, limited by the recording's sampling rate."""

BURST_S = (0.5, 3.0)
DECAY_S = (0.1, 0.5)
"""Time constant of the decay after an electrode pop."""

HARMONICS = ((1, 1.0), (2, 0.1), (3, 0.2), (5, 0.1))
"""Mains hum: multiples of its frequency with their amplitudes; odd harmonics are stronger."""

WINDOW_S = 4.0
N_WINDOWS = 1024
"""Windows in which a lane's power is measured; their median is robust to movements and gaps."""

MAINS_WIDTH_HZ = 2.0
BLOCK = 1 << 20


@dataclass(frozen=True)
class RecordingContext:
    """The properties of a recording that a corruption depends on.

    Parameters
    ----------
    segments, record_s
        Gapless segments, bounded by record numbers, and the duration of a record.
    span_s
        Start of the first page and end of the last one.
    """

    corpus: str
    recording: str
    segments: Sequence[Segment]
    record_s: Fraction
    span_s: tuple[float, float]
    mains_hz: float
    filters: Filters


def hum_hz(one: Corruption, mains_hz: float) -> float:
    """Return the frequency of the hum in a recording from a place with some mains frequency."""
    return mains_hz if one.params["hz"] == MAINS else one.number("hz")


@dataclass(frozen=True)
class LaneContext:
    """One lane of a recording, and the seed of one of its corruptions."""

    recording: RecordingContext
    lane: Lane
    rate: Fraction
    seed: str

    @property
    def rate_hz(self) -> float:
        """Sampling rate in Hz."""
        return float(self.rate)

    @property
    def band(self) -> Band:
        """Pass band of the lane."""
        return self.recording.filters.band(self.lane.kind)

    @property
    def duration_s(self) -> float:
        """End of the last segment, in seconds from the start of the recording."""
        return self.recording.segments[-1].stop_s(self.recording.record_s)

    def share(self, key: str, is_shared: bool) -> float:
        """Return where in a range the value of a parameter is, 0 to 1.

        The numbers that the corruption itself takes do not depend on it.
        """
        return float(self.rng(key, of_lane=not is_shared).random())

    def rng(self, *purpose: str, of_lane: bool = True) -> np.random.Generator:
        """Return the generator of this lane, or of the recording for events common to all lanes."""
        names = [self.seed, *purpose, self.recording.corpus, self.recording.recording]
        key = "/".join([*names, self.lane.name] if of_lane else names)
        return np.random.Generator(
            np.random.PCG64(int(hashlib.sha256(key.encode()).hexdigest(), 16))
        )

    def stretches(self, samples: Samples) -> Iterator[tuple[float, Samples]]:
        """Yield the time of the first sample and a view of the samples of each gapless segment."""
        n_record = int(self.rate * self.recording.record_s)
        for segment in self.recording.segments:
            yield segment.onset_s, samples[segment.first * n_record : segment.stop * n_record]

    def put(self, samples: Samples, onset_s: float, what: Samples) -> None:
        """Add a waveform that begins at a time; the part in a gap is dropped."""
        for start_s, part in self.stretches(samples):
            first = round((onset_s - start_s) * self.rate_hz)
            here = part[max(0, first) : max(0, first + len(what))]
            skipped = max(0, -first)
            here += what[skipped : skipped + len(here)]

    def rest_uv(self, samples: Samples) -> float:
        """Return the value of a silent channel: its own offset, so that filters see no step."""
        return 0.0 if is_level(self.lane.kind, self.rate) else float(np.median(samples))


def _lost(one: Corruption, samples: Samples, at: LaneContext) -> None:
    rng, (start_s, stop_s) = at.rng(), at.recording.span_s
    hit = rng.random() < one.number("rate")
    drawn = rng.random()  # drawn in any case: later numbers must not depend on the spec
    share = drawn if one.params["from"] == ANY else one.number("from")
    if hit:
        lost_s = start_s + share * (stop_s - start_s) if share else 0.0
        rest_uv = at.rest_uv(samples)
        for onset_s, part in at.stretches(samples):
            part[max(0, round((lost_s - onset_s) * at.rate_hz)) :] = rest_uv


def _flat(one: Corruption, samples: Samples, at: LaneContext) -> None:
    length_s, rest_uv = one.number("length_s"), at.rest_uv(samples)
    hits = at.rng().random(int(at.duration_s / length_s) + 1) < one.number("share")
    for onset_s, part in at.stretches(samples):
        times_s = onset_s + np.arange(len(part)) / at.rate_hz
        part[hits[(times_s / length_s).astype(int)]] = rest_uv


def _polarity(one: Corruption, samples: Samples, at: LaneContext) -> None:
    if at.rng().random() < one.number("rate"):
        np.negative(samples, out=samples)


def _inverted(one: Corruption, samples: Samples, at: LaneContext) -> None:
    """Reverse all lanes of a recording or none, as a recorder does."""
    if at.rng(of_lane=False).random() < one.number("rate"):
        np.negative(samples, out=samples)


def _hum(one: Corruption, samples: Samples, at: LaneContext) -> None:
    """Add hum that keeps its phase over the whole recording, gaps included."""
    mains_hz, phases = hum_hz(one, at.recording.mains_hz), at.rng().random(len(HARMONICS))
    for start_s, part in at.stretches(samples):
        for first in range(0, len(part), BLOCK):
            block = part[first : first + BLOCK]
            times_s = start_s + (first + np.arange(len(block))) / at.rate_hz
            for (multiple, height), phase in zip(HARMONICS, phases, strict=True):
                if multiple * mains_hz < at.rate_hz / 2:
                    turns = multiple * mains_hz * times_s + phase
                    block += one.number("uv") * height * np.sin(2 * np.pi * turns)


def _emg(one: Corruption, samples: Samples, at: LaneContext) -> None:
    """Add bursts at the same times in all lanes, as in a movement, with different waveforms."""
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


def _pops(one: Corruption, samples: Samples, at: LaneContext) -> None:
    """Add steps, each followed by the exponential recovery of the electrode."""
    rng = at.rng()
    for onset_s in _onsets_s(one, rng, at):
        height = one.number("uv") * rng.uniform(0.5, 1.5) * rng.choice((-1.0, 1.0))
        decay_s = rng.uniform(*DECAY_S)
        times_s = np.arange(round(8 * decay_s * at.rate_hz)) / at.rate_hz
        at.put(samples, onset_s, height * np.exp(-times_s / decay_s))


def _onsets_s(one: Corruption, rng: np.random.Generator, at: LaneContext) -> Samples:
    n_events = rng.poisson(one.number("per_min") * at.duration_s / 60)
    return np.sort(rng.uniform(0, at.duration_s, n_events))


def _scale(one: Corruption, samples: Samples, at: LaneContext) -> None:
    samples *= one.number("factor")


def _shift(one: Corruption, samples: Samples, at: LaneContext) -> None:
    """Shift each segment in time; what comes in at its edge is mirrored."""
    n_later = round(one.number("s") * at.rate_hz)
    for _, part in at.stretches(samples):
        if len(part):
            before, after = max(0, n_later), max(0, -n_later)
            padded = np.pad(part, (before, after), "symmetric")
            part[:] = padded[after : after + len(part)]


def _noise(one: Corruption, samples: Samples, at: LaneContext) -> None:
    """Add noise whose power is measured like that of the lane, in the lane's pass band."""
    noise = at.rng().standard_normal(len(samples))
    if one.params["colour"] == "pink":
        noise = _pink(noise, at.rate_hz)
    ratio = _power_uv2(samples, at) / _power_uv2(noise, at)
    noise *= np.sqrt(ratio / 10 ** (one.number("snr_db") / 10))
    samples += noise


def _pink(white: Samples, rate_hz: float) -> Samples:
    """Filter white noise to 1/f: one pole and one zero per two octaves, 3 dB per octave."""
    from scipy.signal import bilinear_zpk, sosfilt, zpk2sos

    poles_hz = np.geomspace(0.05, 0.05 * 4**7, 8)
    poles_hz = poles_hz[poles_hz < rate_hz / 4]
    digital = bilinear_zpk(-4 * np.pi * poles_hz, -2 * np.pi * poles_hz, 1.0, rate_hz)
    pink: Samples = sosfilt(zpk2sos(*digital), white)
    return pink


def _power_uv2(samples: Samples, at: LaneContext) -> float:
    """Return the median power in the lane's pass band over the drawn pages, without the mains."""
    n_window = round(WINDOW_S * at.rate_hz)
    frequency_hz = np.fft.rfftfreq(n_window, 1 / at.rate_hz)
    passed = (frequency_hz >= at.band.low_hz) & (frequency_hz <= at.band.high_hz)
    passed &= abs(frequency_hz - at.recording.mains_hz) > MAINS_WIDTH_HZ
    windows = _windows(samples, at, n_window)
    spectra = abs(np.fft.rfft((windows - windows.mean(1, keepdims=True)) * np.hanning(n_window)))
    return float(np.median((spectra[:, passed] ** 2).sum(1)))


def _windows(samples: Samples, at: LaneContext, n_window: int) -> Samples:
    """Return evenly spaced windows of the drawn signal, shape (n_windows, n_window)."""
    parts: list[npt.NDArray[np.float64]] = []
    for onset_s, part in at.stretches(samples):
        edges = (np.array(at.recording.span_s) - onset_s) * at.rate_hz
        first, stop = np.clip(np.round(edges), 0, len(part)).astype(int)
        n_here = (stop - first) // n_window
        parts.append(part[first : first + n_here * n_window].reshape(n_here, n_window))
    n_all = sum(map(len, parts))
    wanted = np.unique(np.linspace(0, n_all - 1, min(N_WINDOWS, n_all)).round().astype(int))
    chosen: Samples = np.concatenate(parts)[wanted]
    return chosen


EFFECTS: Mapping[str, Callable[[Corruption, Samples, LaneContext], None]] = {
    "lost": _lost,
    "flat": _flat,
    "polarity": _polarity,
    "inverted": _inverted,
    "hum": _hum,
    "emg": _emg,
    "pops": _pops,
    "scale": _scale,
    "noise": _noise,
    "shift": _shift,
}
