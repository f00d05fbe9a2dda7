"""EDF header: every field that psgimg uses, parsed once and checked against the file's size.

Fields that locate the samples must be right, or the file is refused. BDF has the same header; its
samples have 24 bits and are read by MNE, which also judges the length of the file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings import edf_fields
from psgimg.builder.recordings.edf_channels import (
    FIELD_BYTES,
    Channel,
    parse_channels,
)

TIMEKEEPING = re.compile(rb"([0-9+\-.,eE]+)(\x15[0-9.,]*)?\x14\x14")
"""The onset of a record, at the start of its annotations (EDF+, section 2.2.4).

Some recorders add a duration."""

ONSET_BYTES = 48
"""An onset and its separators fit in the first bytes of a record's annotations."""


@dataclass(frozen=True)
class EdfHeader:
    """The header of an EDF file, valid for the file's size.

    Parameters
    ----------
    sample_bytes
        Size of a sample: 2 in EDF, 3 in BDF.
    n_bytes
        Size of the header, by the number of its channels.
    start
        Date (``dd.mm.yy``) and time (``hh.mm.ss``), as they are written.
    discontinuous
        Whether the header says EDF+D: records need not follow each other.
    n_records
        Number of records in the file.
    record_s
        Exact duration of a record; 0 in some files with annotations only.
    channels
        All channels in the order of the file.
    notes
        Tolerated defects, for the report.
    """

    sample_bytes: int
    n_bytes: int
    start: tuple[str, str]
    discontinuous: bool
    n_records: int
    record_s: Fraction
    channels: tuple[Channel, ...]
    notes: tuple[str, ...]

    @property
    def signals(self) -> tuple[Channel, ...]:
        """Channels with samples."""
        return tuple(channel for channel in self.channels if not channel.annotations)

    @property
    def annotations(self) -> tuple[Channel, ...]:
        """Channels with annotations."""
        return tuple(channel for channel in self.channels if channel.annotations)

    @property
    def record_bytes(self) -> int:
        """Size of a record, over all channels."""
        return self.sample_bytes * sum(channel.n_samples for channel in self.channels)


def read_header(path: Path) -> EdfHeader:
    """Read the header of an EDF file and check it against the file's size.

    Raises
    ------
    RecordingError
        If the file can't be read, is not EDF, or is shorter or longer than its header states.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            main = file.read(FIELD_BYTES)
            n_channels = _n_channels(main, size, path.name)
            field = _Main(main, path.name)
            headers = file.read(FIELD_BYTES * n_channels)
            channels = parse_channels(headers, n_channels, path.name, field.sample_bytes)
            n_bytes = FIELD_BYTES * (n_channels + 1)
            samples = sum(channel.n_samples for channel in channels)
            record_s = field.number(244, 252, "duration of a record")
            n_records, notes = _count_records(field, n_bytes, samples, record_s, size)
            channels = [_by_content(one, n_bytes, field.sample_bytes, file) for one in channels]
    except OSError as error:
        raise unreadable(path.name, error) from error
    if record_s < 0:
        raise _field_error(path.name, 244, 252, "duration of a record", "negative")
    return EdfHeader(
        field.sample_bytes,
        n_bytes,
        (edf_fields.text(main[168:176]), edf_fields.text(main[176:184])),
        edf_fields.text(main[192:236]).upper().startswith(("EDF+D", "BDF+D")),
        n_records,
        record_s,
        tuple(channels),
        notes,
    )


def _by_content(channel: Channel, n_bytes: int, sample_bytes: int, file: BinaryIO) -> Channel:
    """Return a channel as one of annotations if it begins with an onset, whatever its label."""
    file.seek(n_bytes + sample_bytes * channel.first)
    block = file.read(min(ONSET_BYTES, sample_bytes * channel.n_samples))
    return replace(channel, annotations=channel.annotations or bool(TIMEKEEPING.match(block)))


@dataclass(frozen=True)
class _Main:
    """The main header, whose fields are read by their position."""

    content: bytes
    where: str

    @property
    def sample_bytes(self) -> int:
        return 3 if self.content[:1] == b"\xff" else 2

    def number(self, first: int, stop: int, name: str) -> Fraction:
        try:
            return edf_fields.exact(edf_fields.text(self.content[first:stop]))
        except ValueError as error:
            raise _field_error(self.where, first, stop, name, str(error)) from None

    def whole(self, first: int, stop: int, name: str) -> int:
        value = self.number(first, stop, name)
        if value.denominator != 1:
            raise _field_error(self.where, first, stop, name, "not a whole number")
        return value.numerator


def _field_error(where: str, first: int, stop: int, name: str, why: str) -> RecordingError:
    """Return the error for a field, without its content, which may be a person's name or a date."""
    return RecordingError(
        "unreadable header",
        f"{where}: {name} (bytes {first}-{stop - 1} of the header) is {why}; fix it, or export the "
        "recording again",
    )


def _n_channels(main: bytes, size: int, where: str) -> int:
    """Return the number of channels; RecordingError if the file can't be EDF."""
    why = ""
    try:
        n_channels = edf_fields.whole(edf_fields.text(main[252:256]))
    except ValueError as error:
        n_channels, why = 0, f"its number of signals is {error}"
    if len(main) < FIELD_BYTES:
        why = f"it has {len(main)} bytes"
    elif not why and n_channels < 1:
        why = f"it states {n_channels} signals"
    elif not why and FIELD_BYTES * (n_channels + 1) > size:
        why = f"it states {n_channels} signals, but ends within their headers"
    if why:
        raise RecordingError(
            "not an EDF file", f"{where} is not a readable EDF file ({why}); get the file again"
        )
    return n_channels


def _count_records(
    field: _Main, n_bytes: int, samples: int, record_s: Fraction, size: int
) -> tuple[int, tuple[str, ...]]:
    """Return the number of whole records, and notes, after comparing header and file size."""
    where = field.where
    if samples <= 0:
        raise RecordingError("no signals", f"{where}: its channels have no samples")
    stated = field.whole(236, 244, "number of records")
    n_whole, rest = divmod(size - n_bytes, field.sample_bytes * samples)
    by_mne = field.sample_bytes == 3
    notes = _check_size(field, n_bytes, exact=not by_mne and rest == 0 and stated == n_whole)
    minutes = float(n_whole * record_s / 60)
    both = f"{where}: the header states {stated} records, the file holds {n_whole}"
    if n_whole <= 0 or 0 <= n_whole < stated:
        raise RecordingError(
            f"truncated {'BDF' if by_mne else 'EDF'}",
            f"{both} ({minutes:.1f} min); copy or download it again",
        )
    if stated == -1:  # EDF's code for "still recording when the file was closed"
        return n_whole, (*notes, "number of records missing, taken from the file's size")
    if n_whole > stated:
        raise RecordingError(
            "more records than stated",
            f"{both}; re-export it, or fix bytes 236-243 of the header",
        )
    return n_whole, (*notes, "bytes after the last record ignored") if rest else notes


def _check_size(field: _Main, n_bytes: int, *, exact: bool) -> tuple[str, ...]:
    """Compare the stated size of the header with its true one.

    Where they differ, the samples are where the true size says if the stated number of records then
    fills the file exactly.
    """
    try:
        stated = edf_fields.whole(edf_fields.text(field.content[184:192]))
    except ValueError:
        stated = -1
    if stated == n_bytes:
        return ()
    if not exact:
        raise RecordingError(
            "wrong header size",
            f"{field.where}: bytes 184-191 of the header do not state its size of {n_bytes} bytes, "
            "so where its samples begin is uncertain; export the recording again",
        )
    return ("header states a wrong size of itself, computed from its channels",)
