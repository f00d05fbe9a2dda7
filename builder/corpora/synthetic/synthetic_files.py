"""Synthetic files: a night as an EDF of signals and EDF+ scorings, written once and complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psgimg.builder import atomic_file
from psgimg.builder.stages import Score, Stage, Unscored

if TYPE_CHECKING:
    import edfio
    import numpy.typing as npt

EPOCH_S = 30

LABELS: dict[str, Score] = {
    "Sleep stage W": Stage.W,
    "Sleep stage N1": Stage.N1,
    "Sleep stage N2": Stage.N2,
    "Sleep stage N3": Stage.N3,
    "Sleep stage R": Stage.REM,
    "Sleep stage ?": Unscored.UNSCORED,
    "Movement time": Unscored.MOVEMENT,
}


@dataclass(frozen=True)
class Channel:
    """A channel of the signal file: its rate in Hz, its unit, and the value at which it clips."""

    label: str
    sfreq_hz: int
    unit: str = "uV"
    limit: float = 500.0


def write(
    signal: Path,
    channels: Sequence[Channel],
    scorings: Mapping[Path, Sequence[Score]],
    generate: Callable[[], Iterable[npt.NDArray[Any]]],
) -> None:
    """Write the files of a night, unless all are there and complete.

    A file gets its name only when it is complete, and the scorings are written last, so that a night
    with its scorings is complete.

    Parameters
    ----------
    signal
        Path of the signal file.
    scorings
        Path of each scoring → one score per epoch of 30 s.
    generate
        Function that returns the samples of each channel, in its unit; called only if needed.
    """
    contents = {path: _edf([], scores).to_bytes() for path, scores in scorings.items()}
    n_epochs = len(next(iter(scorings.values())))
    if (
        all(path.is_file() and path.read_bytes() == content for path, content in contents.items())
        and signal.is_file()
        and signal.stat().st_size == _signal_bytes(channels, n_epochs)
    ):
        return
    rows = zip(channels, generate(), strict=True)
    _put(signal, _edf([_signal(channel, row) for channel, row in rows], ()).to_bytes())
    for path, content in contents.items():
        _put(path, content)


def _signal_bytes(channels: Sequence[Channel], n_epochs: int) -> int:
    """Return the size of a complete signal file: the header and two bytes per sample."""
    n_samples = n_epochs * EPOCH_S * sum(channel.sfreq_hz for channel in channels)
    return 256 * (1 + len(channels)) + 2 * n_samples


def _signal(channel: Channel, samples: npt.NDArray[Any]) -> edfio.EdfSignal:
    import edfio

    limit = channel.limit
    return edfio.EdfSignal(
        np.clip(samples, -limit, limit).astype(np.float64),
        channel.sfreq_hz,
        label=channel.label,
        physical_dimension=channel.unit,
        physical_range=(-limit, limit),
    )


def _edf(signals: list[edfio.EdfSignal], scores: Sequence[Score]) -> edfio.Edf:
    """Return an EDF of the signals, or an EDF+ with only the runs of scores."""
    import edfio

    texts = {score: text for text, score in LABELS.items()}
    runs: list[edfio.EdfAnnotation] = []
    onset_s = 0
    for score, run in groupby(scores):
        duration_s = EPOCH_S * len(list(run))
        runs.append(edfio.EdfAnnotation(onset_s, duration_s, texts[score]))
        onset_s += duration_s
    return edfio.Edf(
        signals,
        recording=edfio.Recording(startdate=date(1985, 1, 1), additional=("synthetic",)),
        starttime=time(22),
        annotations=runs or None,
    )


def _put(path: Path, content: bytes) -> None:
    with atomic_file.whole(path) as temporary:
        temporary.write_bytes(content)
