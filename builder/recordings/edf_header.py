"""EDF header: every field that psgimg uses, parsed once and checked against the file's size.

Fields that locate the samples must be right, or the file is refused. A fault of one channel (its
limits, for instance) stays with the channel: nobody may need it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings import edf_fields

FIELD_BYTES = 256
"""Size of the main header, and of the header of each channel."""

SAMPLE_BYTES = 2
LIMITS = ("physical minimum", "physical maximum", "digital minimum", "digital maximum")

MOST_DIGITAL = 32768
"""Limits are those of 16-bit integers; 32768 as the maximum is a common slip without effect."""

MOST_PHYSICAL = 1e30
"""Beyond this, samples in µV would exceed single precision."""

TIMEKEEPING = re.compile(rb"([0-9+\-.,eE]+)\x14\x14")
"""The onset of a record, at the start of its annotations (EDF+, section 2.2.4)."""


@dataclass(frozen=True)
class Limits:
    """Digital and physical values (minimum, maximum) through which samples are converted.

    Either range may be inverted: EDF+ inverts the polarity of a channel in this way.
    """

    digital: tuple[int, int]
    physical: tuple[float, float]

    @property
    def gain(self) -> float:
        """Physical units per digital step."""
        (low, high), (bottom, top) = self.digital, self.physical
        return (top - bottom) / (high - low)


@dataclass(frozen=True)
class Channel:
    """The header of a channel.

    Parameters
    ----------
    first, n_samples
        Number of its first sample in a record, and of its samples per record.
    limits
        The reason why there are none, if the fields are not valid limits.
    annotations
        Whether it holds annotations instead of samples.
    """

    label: str
    unit: str
    first: int
    n_samples: int
    limits: Limits | str
    annotations: bool

    def block(self, record: bytes) -> bytes:
        """Return the bytes of the channel in a record."""
        return record[SAMPLE_BYTES * self.first : SAMPLE_BYTES * (self.first + self.n_samples)]


@dataclass(frozen=True)
class EdfHeader:
    """The header of an EDF file, valid for the file's size.

    Parameters
    ----------
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
        return SAMPLE_BYTES * sum(channel.n_samples for channel in self.channels)


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
            channels = _channels(file.read(FIELD_BYTES * n_channels), n_channels, path.name)
            n_bytes = FIELD_BYTES * (n_channels + 1)
            samples = sum(channel.n_samples for channel in channels)
            field = _Main(main, path.name)
            record_s = field.number(244, 252, "duration of a record")
            n_records, notes = _count_records(field, n_bytes, samples, record_s, size)
            record = file.read(SAMPLE_BYTES * samples)
    except OSError as error:
        raise unreadable(path.name, error) from error
    if record_s < 0:
        raise _field_error(path.name, 244, 252, "duration of a record", "negative")
    return EdfHeader(
        n_bytes,
        (edf_fields.text(main[168:176]), edf_fields.text(main[176:184])),
        edf_fields.text(main[192:236]).upper().startswith("EDF+D"),
        n_records,
        record_s,
        tuple(
            replace(one, annotations=one.annotations or bool(TIMEKEEPING.match(one.block(record))))
            for one in channels
        ),
        notes,
    )


@dataclass(frozen=True)
class _Main:
    """The main header, whose fields are read by their position."""

    content: bytes
    where: str

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
    if main[:1] == b"\xff":
        why = "it is BDF, with 24-bit samples"
    elif len(main) < FIELD_BYTES:
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


def _channels(headers: bytes, n_channels: int, where: str) -> list[Channel]:
    """Parse the headers of all channels, which are stored field by field."""

    def column(offset: int, width: int) -> list[str]:
        starts = range(offset * n_channels, (offset + width) * n_channels, width)
        return [edf_fields.text(headers[start : start + width]) for start in starts]

    labels, units = column(0, 16), column(96, 8)
    limits = list(zip(*(column(offset, 8) for offset in (104, 112, 120, 128)), strict=True))
    channels: list[Channel] = []
    first = 0
    for number, spelt in enumerate(column(216, 8)):
        label = labels[number]
        try:
            n_samples = edf_fields.whole(spelt)
        except ValueError:
            n_samples = -1
        if n_samples < 0:
            raise RecordingError(
                "unreadable header",
                f"{where}, channel {label!r}: the number of samples per record is not a whole number "
                "from 0; fix it, or export the recording again",
            )
        valid = _limits(limits[number]) if n_samples else "it has no samples"
        annotations = _names_annotations(label)
        channels.append(Channel(label, units[number], first, n_samples, valid, annotations))
        first += n_samples
    return channels


def _names_annotations(label: str) -> bool:
    """Whether a label is ``EDF Annotations`` in any spelling, or that of BDF."""
    return bool(re.fullmatch("[eb]dfannotations?", re.sub("[^a-z]", "", label.lower())))


def _limits(fields: Sequence[str]) -> Limits | str:
    """Return the limits of a channel, or why they are none."""
    values: list[Fraction] = []
    for name, spelt in zip(LIMITS, fields, strict=True):
        try:
            values.append(edf_fields.exact(spelt))
        except ValueError as error:
            return f"the {name} in the header is {error}"
    bottom, top, low, high = values
    given = f"the header gives digital {float(low):g}..{float(high):g}, "
    given += f"physical {float(bottom):g}..{float(top):g}"
    if low.denominator != 1 or high.denominator != 1 or max(abs(low), abs(high)) > MOST_DIGITAL:
        return f"{given}, and digital limits must be 16-bit integers"
    if low == high or bottom == top or max(abs(bottom), abs(top)) > MOST_PHYSICAL:
        return given
    return Limits((int(low), int(high)), (float(bottom), float(top)))


def _count_records(
    field: _Main, n_bytes: int, samples: int, record_s: Fraction, size: int
) -> tuple[int, tuple[str, ...]]:
    """Return the number of whole records, and notes, after comparing header and file size."""
    where = field.where
    if samples <= 0:
        raise RecordingError("no signals", f"{where}: its channels have no samples")
    stated = field.whole(236, 244, "number of records")
    n_whole, rest = divmod(size - n_bytes, SAMPLE_BYTES * samples)
    notes = _check_size(field, n_bytes, exact=rest == 0 and stated in (-1, n_whole))
    minutes = float(n_whole * record_s / 60)
    both = f"{where}: the header states {stated} records, the file holds {n_whole}"
    if n_whole <= 0 or 0 <= n_whole < stated:
        raise RecordingError(
            "truncated EDF", f"{both} ({minutes:.1f} min); copy or download it again"
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

    Where they differ, the samples are where the true size says if they then fill the file exactly.
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
            "and its records do not fill the file from there; export the recording again",
        )
    return ("header states a wrong size of itself, computed from its channels",)
