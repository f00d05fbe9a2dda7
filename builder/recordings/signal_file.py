"""Signal file: what the rest of the builder needs of a recording's signals, whatever their format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.edf_header import Segment
from psgimg.builder.recordings.montage import Derivation

MISSING_UNIT = "unit missing, µV assumed"


class SignalFile(Protocol):
    """A file whose header has been read and believed; samples are read channel by channel.

    ``edf.EdfFile`` is one, ``mne_reader.MneFile`` the other.
    """

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Channel labels as the file spells them."""

    @property
    def sfreqs_hz(self) -> tuple[Fraction, ...]:
        """Exact sampling frequency of each channel."""

    @property
    def record_s(self) -> Fraction:
        """Exact length of a data record; a channel has a whole number of samples in one."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Stretches without gap, in time order; they count records."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was tolerated, for the report."""

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the end of the last, gaps included."""

    @property
    def start(self) -> datetime | None:
        """Local date and time of the first sample as the file says; None if it says none."""

    def unit(self, channel: int) -> str:
        """Physical unit as the header spells it."""

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """All samples of a channel in µV, shape (n_samples,), segments joined end to end."""


def unit_notes(file: SignalFile, derivations: Sequence[Derivation | None]) -> tuple[str, ...]:
    """A note if a channel that is drawn has no unit in the header."""
    channels = {d.plus for d in derivations if d} | {
        d.minus for d in derivations if d and d.minus is not None
    }
    return (MISSING_UNIT,) if any(not file.unit(channel) for channel in channels) else ()
