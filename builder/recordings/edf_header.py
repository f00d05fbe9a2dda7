"""EDF header: the fields that locate the samples, checked against the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from psgimg.builder.errors import RecordingError

MAIN_HEADER_BYTES = 256
SAMPLE_BYTES = 2
NOTES = "EDF Annotations"
RECORD_ONSET = re.compile(rb"^([+-]\d+(?:\.\d+)?)\x14\x14")
"""The timekeeping entry at the start of each record's annotation block, EDF+ section 2.2.4."""


@dataclass(frozen=True)
class Segment:
    """A gapless segment: records ``first`` to ``stop``, starting ``onset_s`` after the file's start."""

    onset_s: float
    first: int
    stop: int

    def length_s(self, record_s: Fraction) -> float:
        """Return the duration, for records of ``record_s`` seconds."""
        return float((self.stop - self.first) * record_s)

    def stop_s(self, record_s: Fraction) -> float:
        """Return the end, from the file's start, for records of ``record_s`` seconds."""
        return self.onset_s + self.length_s(record_s)


@dataclass(frozen=True)
class RawHeader:
    """The header fields that locate the samples, as written in the file."""

    n_bytes: int
    continuous: bool
    n_records: int
    record_s: Fraction
    labels: tuple[str, ...]
    samples: tuple[int, ...]

    @classmethod
    def read(cls, path: Path) -> RawHeader:
        """Read the fields; RecordingError if they are not those of an EDF header."""
        with path.open("rb") as file:
            main = file.read(MAIN_HEADER_BYTES)
            try:
                n_signals = int(main[252:256])
                rest = file.read(MAIN_HEADER_BYTES * n_signals)
                counts = rest[216 * n_signals : 224 * n_signals]
                return cls(
                    MAIN_HEADER_BYTES * (n_signals + 1),
                    not main[192:236].startswith(b"EDF+D"),
                    int(main[236:244]),
                    Fraction(main[244:252].decode("ascii").strip()),
                    tuple(
                        rest[16 * i : 16 * i + 16].decode("latin-1").strip()
                        for i in range(n_signals)
                    ),
                    tuple(int(counts[8 * i : 8 * i + 8]) for i in range(n_signals)),
                )
            except (ValueError, ZeroDivisionError) as error:
                raise RecordingError(
                    "not an EDF file",
                    f"{path.name} has no EDF header ({brief(error)}); get the file again",
                ) from error

    @property
    def bytes_per_record(self) -> int:
        """Size of a data record in bytes, annotation channels included."""
        return SAMPLE_BYTES * sum(self.samples)

    @property
    def notes_block(self) -> tuple[int, int]:
        """Offset of the first annotation channel in a record, and its size, in bytes."""
        channel = self.labels.index(NOTES)
        return SAMPLE_BYTES * sum(self.samples[:channel]), SAMPLE_BYTES * self.samples[channel]


def count_records(path: Path, header: RawHeader) -> tuple[int, tuple[str, ...]]:
    """Return the number of whole records and notes, after comparing header and file size."""
    if header.bytes_per_record <= 0:
        raise RecordingError("no signals", f"{path.name}: its channels have no samples")
    n_whole, rest = divmod(path.stat().st_size - header.n_bytes, header.bytes_per_record)
    minutes = float(n_whole * header.record_s / 60)
    both = f"{path.name}: the header states {header.n_records} records, the file holds {n_whole}"
    if n_whole <= 0 or 0 <= n_whole < header.n_records:
        raise RecordingError(
            "truncated EDF", f"{both} ({minutes:.1f} min); copy or download it again"
        )
    if header.n_records == -1:  # EDF's code for "still recording when the file was closed"
        return n_whole, ("number of records missing, taken from the file's size",)
    if n_whole > header.n_records:
        raise RecordingError(
            "more records than stated",
            f"{both}; re-export it, or fix bytes 236-243 of the header",
        )
    return n_whole, ("bytes after the last record ignored",) if rest else ()


def first_onset_s(path: Path, header: RawHeader) -> Fraction:
    """Return the onset of the first record: the fraction of a second missing in the start time."""
    if NOTES not in header.labels:
        return Fraction(0)
    first, n_bytes = header.notes_block
    with path.open("rb") as file:
        file.seek(header.n_bytes + first)
        return _record_onset(path, file.read(n_bytes))


def segments(path: Path, header: RawHeader, n_records: int) -> tuple[Segment, ...]:
    """Return the gapless segments, from the onsets of the records if the file is EDF+D."""
    if header.continuous or NOTES not in header.labels:
        return (Segment(0.0, 0, n_records),)
    first, n_bytes = header.notes_block
    records = np.memmap(path, np.uint8, "r", header.n_bytes, (n_records, header.bytes_per_record))[
        :, first : first + n_bytes
    ]
    onsets = [_record_onset(path, bytes(record)) for record in records]
    starts = [0] + [
        i
        for i in range(1, n_records)
        if abs(onsets[i] - onsets[i - 1] - header.record_s) > Fraction(1, 1000)
    ]
    for i in starts[1:]:
        if onsets[i] < onsets[i - 1] + header.record_s:
            raise RecordingError(
                "records out of order",
                f"{path.name}: record {i} starts {float(onsets[i]):g} s, before record {i - 1} ends; "
                "re-export the recording",
            )
    stops = [*starts[1:], n_records]
    return tuple(
        Segment(float(onsets[a] - onsets[0]), a, b) for a, b in zip(starts, stops, strict=True)
    )


def _record_onset(path: Path, block: bytes) -> Fraction:
    match = RECORD_ONSET.match(block)
    if match is None:
        raise RecordingError(
            "record without onset",
            f"{path.name} is EDF+, but one of its records has no onset; re-export it",
        )
    return Fraction(match[1].decode("ascii"))


def brief(error: Exception) -> str:
    """Return an error's message in one short line."""
    return " ".join(str(error).split())[:120] or type(error).__name__
