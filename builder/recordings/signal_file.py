"""Signal file: the interface to a recording's signals, whatever their format."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.segments import Segment


class SignalFile(Protocol):
    """A file whose header has been read and checked; samples are read channel by channel.

    Implemented by the readers of each format, such as ``edf.EdfFile``; ``open_signal`` chooses.
    """

    @property
    def path(self) -> Path:
        """Path of the file."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels as spelt in the file."""

    @property
    def sfreqs_hz(self) -> tuple[Fraction, ...]:
        """Exact sampling frequency of each channel."""

    @property
    def recorded_hz(self) -> tuple[Fraction, ...]:
        """Sampling frequency at which each channel was recorded; ``sfreqs_hz`` may be resampled."""

    @property
    def record_s(self) -> Fraction:
        """Exact duration of a data record, which holds a whole number of samples per channel."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Gapless segments, in time order; their bounds are record numbers."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Tolerated defects, for the report."""

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the end of the last one, gaps included."""

    @property
    def start(self) -> datetime | None:
        """Local date and time of the first sample according to the file; None if not stated."""

    def unit(self, channel: int) -> str:
        """Return the physical unit as spelt in the header."""

    def fault(self, channel: int) -> RecordingError | None:
        """Return why a channel can't be read in µV, judged by the header alone; None if it can."""

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,), with segments concatenated."""


class Reader:
    """What the signal files of all formats answer alike."""

    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]

    @property
    def recorded_hz(self) -> tuple[Fraction, ...]:
        """Sampling frequency at which each channel was recorded."""
        return self.sfreqs_hz

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the end of the last one, gaps included."""
        return self.segments[-1].stop_s(self.record_s)

    def fault(self, channel: int) -> RecordingError | None:
        """Return why a channel can't be read in µV, judged by the header alone; None if it can."""
        try:
            self._conversion(channel)
        except RecordingError as error:
            return error
        return None

    def _conversion(self, channel: int) -> Any:
        """Return what turns samples of a channel into µV; raise its ``fault``."""
        raise NotImplementedError
