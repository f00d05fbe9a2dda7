"""Memory: signals that are not read from a file: a ``Raw`` of MNE, or an array in µV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.edf import UV_PER_UNIT
from psgimg.builder.recordings.formats import mne_breaks
from psgimg.builder.recordings.formats.mne_reader import VOLT, start_of
from psgimg.builder.recordings.segments import Segment, require_plausible_span
from psgimg.builder.recordings.signal_file import Reader

Uv = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MemorySignals(Reader):
    """Signals in memory: a ``SignalFile`` in which each sample is a data record.

    Parameters
    ----------
    path
        What messages call them; there need not be such a file.
    """

    path: Path
    labels: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    start: datetime | None
    notes: tuple[str, ...]
    _faults: tuple[RecordingError | None, ...]
    _read_uv: Callable[[int], Uv]

    def unit(self, channel: int) -> str:
        """Return µV, in which all samples are given."""
        return "other" if self._faults[channel] else "µV"

    def _conversion(self, channel: int) -> None:
        if fault := self._faults[channel]:
            raise fault

    def read_uv(self, channel: int) -> Uv:
        """Return all samples of a channel in µV, shape (n_samples,), with segments concatenated.

        Raises
        ------
        RecordingError
            The ``fault`` of the channel, or if samples are not finite.
        """
        self._conversion(channel)
        samples = self._read_uv(channel)
        if not np.isfinite(samples).all():
            raise RecordingError(
                "samples not finite",
                f"{self.path.name}, channel {self.labels[channel]!r} has samples that are not finite "
                "numbers; cut them out, or mark them in a Raw as BAD_ACQ_SKIP",
            )
        return samples


def of_raw(raw: Any) -> MemorySignals:
    """Return the signals of a ``mne.io.BaseRaw``, whose samples are in V.

    Time that is annotated ``BAD_ACQ_SKIP`` is no signal, and nothing is filtered across it, nor across a
    boundary between recordings that were joined.

    Raises
    ------
    RecordingError
        If no second of it is free of interruptions.
    """
    path = Path(str(next(iter(raw.filenames or ()), None) or "raw"))
    sfreq_hz = Fraction(raw.info["sfreq"]).limit_denominator(10**6)
    mne_breaks.refuse_marks_without_time(raw, raw.annotations, path)
    segments, kept = mne_breaks.uninterrupted(raw, raw.annotations, sfreq_hz, [])
    _require_signal(segments, 1 / sfreq_hz, path.name)

    def read_uv(channel: int) -> Uv:
        parts = [raw.get_data([channel], start, stop, verbose="error")[0] for start, stop in kept]
        return np.asarray(np.concatenate(parts) * UV_PER_UNIT["v"], np.float64)

    faults = [_fault(raw, i, path.name) for i in range(len(raw.ch_names))]
    return _signals(path, raw.ch_names, sfreq_hz, segments, start_of(raw), faults, read_uv)


def of_array(data_uv: npt.ArrayLike, sfreq: float, ch_names: Sequence[str]) -> MemorySignals:
    """Return the signals of an array.

    Parameters
    ----------
    data_uv : (n_channels, n_samples)
        Samples in µV.
    sfreq
        Samples per second.

    Raises
    ------
    BuildError
        If shape, rate or names can't be those of signals.
    RecordingError
        If it lasts less than a second.
    """
    data = np.asarray(data_uv, np.float64)
    if data.ndim != 2 or len(data) != len(ch_names):
        raise BuildError(
            f"an array of shape {data.shape} and {len(ch_names)} ch_names: give (n_channels, n_samples) "
            "in µV, and a name for each channel"
        )
    if not 0 < sfreq < np.inf:
        raise BuildError(f"sfreq {sfreq}: give the samples per second")
    exact_hz = Fraction(sfreq).limit_denominator(10**6)
    path = Path("array")
    segments = (Segment(0.0, 0, data.shape[1]),)
    _require_signal(segments if data.shape[1] >= sfreq else (), 1 / exact_hz, path.name)
    faults = [None] * len(ch_names)
    return _signals(path, ch_names, exact_hz, segments, None, faults, lambda i: data[i])


def _signals(
    path: Path,
    names: Sequence[str],
    sfreq_hz: Fraction,
    segments: tuple[Segment, ...],
    start: datetime | None,
    faults: Sequence[RecordingError | None],
    read_uv: Callable[[int], Uv],
) -> MemorySignals:
    rates = (sfreq_hz,) * len(names)
    return MemorySignals(
        path, tuple(names), rates, 1 / sfreq_hz, segments, start, (), tuple(faults), read_uv
    )


def _require_signal(segments: Sequence[Segment], record_s: Fraction, name: str) -> None:
    if not segments:
        raise RecordingError(
            "no signals", f"{name} has no {mne_breaks.MIN_SEGMENT_S:g} s of uninterrupted signal"
        )
    require_plausible_span(segments, record_s, name)


def _fault(raw: Any, channel: int, name: str) -> RecordingError | None:
    """Return why a channel is no voltage."""
    if raw.info["chs"][channel]["unit"] == VOLT:
        return None
    return RecordingError(
        "unit not a voltage",
        f"{name}, channel {raw.ch_names[channel]!r} is not in V; set its type (raw.set_channel_types)",
    )
