"""Short nights as EDF and EDF+ files: the bricks of the tiny corpora in ``tiny.py``.

A night is a list of words, one an epoch, in the notation of Rechtschaffen and Kales: ``W 1 2 3 4 R``,
``M`` for movement and ``?`` for unscored. ``TRUTH`` says what a reader must make of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path

import edfio
import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import Score, Stage, Unscored

START = datetime(1985, 1, 1, 22, 0, 0)
"""When the nights begin, unless told otherwise; NSRR set all its dates to this day."""

TRUTH: dict[str, Score] = {
    "W": Stage.W,
    "1": Stage.N1,
    "2": Stage.N2,
    "3": Stage.N3,
    "4": Stage.N3,
    "R": Stage.REM,
    "M": Unscored.MOVEMENT,
    "?": Unscored.UNSCORED,
}

# Amplitude (µV) and frequency (Hz) of the rhythm that marks a stage, by kind of channel: slow waves
# over 75 µV in deep sleep, alpha in waking, eye movements in REM; the chin is noise of that height.
RHYTHMS: dict[str, dict[str, tuple[float, float]]] = {
    "eeg": {
        "W": (25, 10),
        "1": (18, 5),
        "2": (22, 13),
        "3": (90, 1),
        "4": (110, 0.8),
        "R": (14, 6),
    },
    "eog": {
        "W": (60, 0.3),
        "1": (30, 0.2),
        "2": (10, 1),
        "3": (25, 1),
        "4": (25, 1),
        "R": (90, 0.7),
    },
    "emg": {"W": (20, 0), "1": (10, 0), "2": (8, 0), "3": (6, 0), "4": (6, 0), "R": (1.5, 0)},
    "ecg": {},
    "other": {},
}
PLAIN = {"eeg": (20.0, 8.0), "eog": (20.0, 0.3), "emg": (20.0, 0.0), "ecg": (300.0, 1.1)}
"""The rhythm where the stage has none of its own."""

UNITS_PER_UV = {"uV": 1.0, "mV": 1e-3, "V": 1e-6, "": 1.0, "%": 1.0}


@dataclass(frozen=True)
class Channel:
    """A channel to write.

    Parameters
    ----------
    kind
        ``eeg``, ``eog``, ``emg``, ``ecg``, or ``other`` for a flat line.
    unit
        As it stands in the header.
    range_uv
        Physical maximum and, negative, minimum; beyond it the samples are clipped.
    """

    label: str
    sfreq_hz: float
    kind: str = "eeg"
    unit: str = "uV"
    range_uv: float = 500.0


def channels(labels: Iterable[str], sfreq_hz: float, kind: str = "eeg") -> list[Channel]:
    """Channels that differ in their labels only."""
    return [Channel(label, sfreq_hz, kind) for label in labels]


def night(n_epochs: int, seed: int = 0, *, odd: str = "") -> list[str]:
    """Words of a night that visits every stage, in runs of two or three epochs.

    ``odd`` lists further words (``M?``), each given to one epoch near the end.
    """
    rng = np.random.default_rng(seed)
    words: list[str] = []
    while len(words) < n_epochs:
        for word in ("W", "1", "2", "3", "4", "R"):
            words += [word] * int(rng.integers(2, 4))
    words = words[:n_epochs]
    for i, word in enumerate(odd, start=2):
        words[-i] = word
    return words


def runs(
    words: Sequence[str], epoch_s: float, start_s: float = 0.0
) -> list[tuple[float, float, str]]:
    """Onset (s), duration (s) and word of each stretch of equal words."""
    found = []
    for word, group in groupby(words):
        n_epochs = len(list(group))
        found.append((start_s, n_epochs * epoch_s, word))
        start_s += n_epochs * epoch_s
    return found


def write_psg(
    path: Path,
    channels: Sequence[Channel],
    words: Sequence[str],
    *,
    epoch_s: float = 30.0,
    start_s: float = 0.0,
    start: datetime = START,
    record_s: float = 1.0,
    seed: int = 0,
) -> None:
    """Write the signals of a night as plain EDF; its content follows the words.

    Parameters
    ----------
    words
        Stages, of which the first begins ``start_s`` after the signal.
    record_s
        Length of a data record; the end of the night is cut to whole records.
    """
    n_records = int((start_s + epoch_s * len(words)) / record_s)
    signals = []
    for number, channel in enumerate(channels):
        n_samples = n_records * round(channel.sfreq_hz * record_s)
        rng = np.random.default_rng((seed, number))
        samples = _samples(channel, words, n_samples, epoch_s, start_s, rng)
        scale = UNITS_PER_UV.get(channel.unit, 1.0)
        limit = channel.range_uv * scale
        signals.append(
            edfio.EdfSignal(
                np.clip(samples * scale, -limit, limit),
                channel.sfreq_hz,
                label=channel.label,
                physical_dimension=channel.unit,
                physical_range=(-limit, limit),
            )
        )
    _write(path, edfio.Edf(signals, data_record_duration=record_s, **_start(start)))


def write_annotations(
    path: Path, found: Iterable[tuple[float, float | None, str]], start: datetime = START
) -> None:
    """Write an EDF+ file that holds annotations (onset in s, duration in s, text) only."""
    annotations = [edfio.EdfAnnotation(*annotation) for annotation in found]
    _write(path, edfio.Edf([], annotations=annotations, **_start(start)))


def _samples(
    channel: Channel,
    words: Sequence[str],
    n_samples: int,
    epoch_s: float,
    start_s: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    if channel.kind == "other":
        return np.zeros(n_samples)
    time_s = np.arange(n_samples) / channel.sfreq_hz
    rhythms = [RHYTHMS[channel.kind].get(word, PLAIN[channel.kind]) for word in words]
    epoch = np.clip((time_s - start_s) // epoch_s, 0, len(words) - 1).astype(int)
    height, frequency = np.array(rhythms).T[:, epoch]
    if channel.kind == "emg":
        return height * rng.standard_normal(n_samples)
    return height * np.sin(2 * np.pi * frequency * time_s) + 4 * rng.standard_normal(n_samples)


def _start(start: datetime) -> dict[str, object]:
    day = date(start.year, start.month, start.day)
    return {"recording": edfio.Recording(startdate=day), "starttime": start.time()}


def _write(path: Path, edf: edfio.Edf) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    edf.write(path)


def discontinuous(path, onsets_s):
    """Make a file EDF+D whose records from the given numbers on start at the given times."""
    raw = bytearray(path.read_bytes())
    raw[192:197] = b"EDF+D"
    n_bytes, n_signals = int(raw[184:192]), int(raw[252:256])
    first = 256 + 216 * n_signals
    samples = [int(raw[first + 8 * i : first + 8 * i + 8]) for i in range(n_signals)]
    labels = [bytes(raw[256 + 16 * i : 272 + 16 * i]).strip() for i in range(n_signals)]
    notes = labels.index(b"EDF Annotations")
    at_s = 0.0
    for record in range(int(raw[236:244])):
        at_s = onsets_s.get(record, at_s)
        start = n_bytes + 2 * (sum(samples) * record + sum(samples[:notes]))
        stamp = f"+{at_s:g}".encode() + b"\x14\x14\x00"
        raw[start : start + 2 * samples[notes]] = stamp.ljust(2 * samples[notes], b"\0")
        at_s += 1.0
    path.write_bytes(raw)
