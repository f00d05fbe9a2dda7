"""EDF and EDF+ reader: integrity, channels in µV, gaps and the start time.

All EDF files are opened here. The reader tolerates defects that leave the samples unambiguous and
refuses others: a file with fewer records than its header states is refused, a stray byte after the
last record is only noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf_records
from psgimg.builder.recordings.edf_blocks import read_samples
from psgimg.builder.recordings.edf_channels import Limits
from psgimg.builder.recordings.edf_header import EdfHeader, read_header
from psgimg.builder.recordings.segments import Segment, require_plausible_span
from psgimg.builder.recordings.signal_file import Reader

UV_PER_UNIT = {"uv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}

THREE_NUMBERS = re.compile("[.,:'/ -]+".join([r"(\d\d?)"] * 3), re.ASCII)
"""``dd.mm.yy`` or ``hh.mm.ss``; recorders also write other separators, and blanks for zeros."""

AT_ONCE = 1 << 15
"""Samples that are scaled at a time: they stay near the processor."""

FIRST_YEAR = 85
"""EDF: years from 85 are of the 20th century, earlier ones of the 21st."""


@dataclass(frozen=True)
class EdfFile(Reader):
    """An EDF file whose header has been read and checked; samples are read channel by channel.

    Parameters
    ----------
    labels
        Channel labels as spelt in the file, without the annotation channels.
    sfreqs_hz
        Exact sampling frequency of each channel (records need not last whole seconds).
    record_s
        Exact duration of a data record.
    segments
        Gapless segments, from the onsets of the records if they are stated.
    notes
        Tolerated defects, for the report.
    """

    path: Path
    labels: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]
    _header: EdfHeader

    @property
    def start(self) -> datetime | None:
        """Local date and time of the first sample according to the header; None if not stated."""
        try:
            return start_datetime(self.path)
        except RecordingError:
            return None

    def unit(self, channel: int) -> str:
        """Return the physical unit as spelt in the header."""
        return self._header.signals[channel].unit

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,), with segments concatenated.

        Raises
        ------
        RecordingError
            The ``fault`` of the channel, if it has one.
        """
        return self._scaled(channel, *self._conversion(channel))

    def read_stated(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in the unit of its header, for one that is no voltage.

        Raises
        ------
        RecordingError
            If its limits do not convert its samples.
        """
        return self._scaled(channel, self._limits(channel), 1.0)

    def _scaled(self, channel: int, limits: Limits, scale: float) -> npt.NDArray[np.float64]:
        samples = read_samples(self.path, self._header, self._header.signals[channel])
        gain, offset = limits.gain * scale, limits.physical[0] * scale
        for first in range(0, len(samples), AT_ONCE):
            some = samples[first : first + AT_ONCE]
            some -= limits.digital[0]
            some *= gain
            some += offset
        return samples

    def _conversion(self, channel: int) -> tuple[Limits, float]:
        """Return the limits of a channel, and the factor from its unit to µV."""
        scale = uv_per_unit(self.unit(channel), self._where(channel))
        return self._limits(channel), scale

    def _limits(self, channel: int) -> Limits:
        limits = self._header.signals[channel].limits
        if isinstance(limits, str):
            raise without_range(self._where(channel), limits)
        return limits

    def _where(self, channel: int) -> str:
        return f"{self.path.name}, channel {self._header.signals[channel].label!r}"


def require_rate(header: EdfHeader, where: str) -> None:
    """Raise RecordingError if a header states no duration of a record, so that no rate follows."""
    if header.record_s == 0:
        raise RecordingError(
            "no sampling rate",
            f"{where}: the duration of a record (bytes 244-251 of the header) is 0; fix it, or "
            "export the recording again",
        )


def without_range(where: str, why: str) -> RecordingError:
    """Return the error for a channel whose limits do not convert its samples."""
    return RecordingError("channel without range", f"{where}: {why}; re-export the recording")


def uv_per_unit(unit: str, where: str) -> float:
    """Return the factor from a header's unit to µV in any encoding of "µ"; a missing unit is µV."""
    # The Greek mu appears as itself (µ U+00B5, μ U+03BC) or, through another encoding, as Âµ, Î¼,
    # æ (code pages 437 and 850) or ì (ISO 8859-7). No other prefix of V is guessed.
    letters = re.sub("Âµ|Î¼|[µμæì]", "u", unit.strip()).lower().replace(" ", "")
    letters = (
        re.sub("volts?$", "v", letters)
        .replace("micro", "u")
        .replace("milli", "m")
        .replace("nano", "n")
    )
    letters = letters or "uv"
    if letters not in UV_PER_UNIT:
        raise RecordingError(
            "unit is not a voltage",
            f"{where} is in {unit!r}, not in V, mV or µV; choose another montage or fix the header",
        )
    return UV_PER_UNIT[letters]


def open_edf(path: Path) -> EdfFile:
    """Read the header of an EDF file and check it against the file's size.

    Raises
    ------
    RecordingError
        If the file can't be read, is not an EDF file, holds fewer or more records than stated, or
        its records overlap or have no onsets where the header says EDF+D.
    """
    header = read_header(path)
    if header.sample_bytes != 2:
        raise RecordingError(
            "not an EDF file", f"{path.name} is BDF; rename it to .bdf, or export it as EDF"
        )
    if not header.signals:
        raise RecordingError(
            "no signals", f"{path.name} has no signal channel; is it an annotation file?"
        )
    require_rate(header, path.name)
    segments, notes = edf_records.segments(path, header)
    require_plausible_span(segments, header.record_s, path.name)
    return EdfFile(
        path,
        tuple(channel.label for channel in header.signals),
        tuple(channel.n_samples / header.record_s for channel in header.signals),
        header.record_s,
        segments,
        (*header.notes, *notes),
        header,
    )


def start_datetime(path: Path) -> datetime:
    """Return the time of the first sample or annotation; only for alignment, never published.

    Anonymised EDF+ files hide the date in the recording field (``Startdate X``); the plain fields
    ``dd.mm.yy`` and ``hh.mm.ss`` remain valid for aligning two files of one night. They have a
    resolution of one second; the onset of the first record adds the fraction.

    Raises
    ------
    RecordingError
        If the file can't be read, or the fields are not a date and a time.
    """
    header = read_header(path)
    try:
        day, month, year = _three_numbers(header.start[0])
        hour, minute, second = _three_numbers(header.start[1])
        century = 1900 if year >= FIRST_YEAR else 2000
        start = datetime(century + year, month, day, hour, minute, second)
        return start + timedelta(seconds=edf_records.first_onset_s(path, header) or 0.0)
    except (ValueError, OverflowError):  # the message omits the content, which may be a real date
        raise RecordingError(
            "no start time",
            f"{path.name}: bytes 168-183 of the header are not a date and time; fix them",
        ) from None


def _three_numbers(field: str) -> tuple[int, int, int]:
    match = THREE_NUMBERS.fullmatch(field)
    if match is None:
        raise ValueError("not three numbers")
    return int(match[1]), int(match[2]), int(match[3])
