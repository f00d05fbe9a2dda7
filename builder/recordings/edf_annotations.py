"""EDF annotations: the events of an EDF+ file, each judged by itself.

An event that can't be read is left out and counted; the others are not affected by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf_fields
from psgimg.builder.recordings.edf_blocks import read_blocks
from psgimg.builder.recordings.edf_header import EdfHeader, read_header
from psgimg.builder.recordings.edf_records import first_onset_s

ONSET = re.compile(rb"\s*[+-][0-9.,]+\s*")
"""An onset. Among the texts of an entry, it means that the NUL before it is missing."""

MOST = 300_000
"""A recording of a month with an event every ten seconds; beyond it, the file is no scoring."""


@dataclass(frozen=True, order=True)
class Annotation:
    """One EDF+ annotation; ``onset_s`` counts from the file's first sample."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class Annotations:
    """The annotations of a file in time order, and notes on those that were not read as they are."""

    events: tuple[Annotation, ...]
    notes: tuple[str, ...]


def read_annotations(path: Path) -> Annotations:
    """Return the annotations of an EDF+ file; a missing duration becomes 0 s.

    Text that is not UTF-8 is decoded as Latin-1. Empty annotations, such as those that state the
    onset of a record, are left out.

    Raises
    ------
    RecordingError
        If the file can't be read or has no annotations.
    """
    header = read_header(path)
    origin_s = first_onset_s(path, header)
    events: list[Annotation] = []
    n_malformed = n_latin = 0
    for entry in _entries(path, header):
        try:
            onset_s, duration_s, texts = parse_entry(entry)
        except ValueError:
            n_malformed += 1
            continue
        for raw in texts:
            text, latin = _decode(raw)
            n_latin += latin
            if text:
                events.append(Annotation(round(onset_s - (origin_s or 0.0), 9), duration_s, text))
        if len(events) > MOST:
            raise RecordingError(
                "too many annotations",
                f"{path.name} has more than {MOST:,} annotations; check that it is a scoring file",
            )
    if not events:
        left_out = f" that can be read ({n_malformed} can't)" if n_malformed else ""
        raise RecordingError(
            "empty scoring", f"{path.name} has no annotations{left_out}; get the file again"
        )
    notes = [f"scoring: {note}" for note in header.notes]
    if origin_s is None:
        notes.append("scoring: it does not state its start to the fraction of a second")
    if n_malformed:
        notes.append(f"scoring: malformed annotations left out: {n_malformed}")
    if n_latin:
        notes.append(f"scoring: annotations not in UTF-8, read as Latin-1: {n_latin}")
    return Annotations(tuple(sorted(events)), tuple(notes))


def parse_entry(entry: bytes) -> tuple[float, float, list[bytes]]:
    """Return onset (s), duration (s) and texts of an entry, the bytes between two NULs.

    Raises
    ------
    ValueError
        If it is not ``onset[U+0015 duration]U+0014 text U+0014 ...``.
    """
    times, separator, texts = entry.partition(b"\x14")
    onset, has_duration, duration = times.decode("latin-1").partition("\x15")
    onset_s = edf_fields.real(onset.strip())
    duration_s = edf_fields.real(duration.strip()) if has_duration else 0.0
    *each, end = texts.split(b"\x14")
    merged = b"\x15" in texts or any(ONSET.fullmatch(one) for one in each[:-1])
    if not separator or duration_s < 0 or merged or end:
        raise ValueError("not an annotation")
    return onset_s, duration_s, each


def _entries(path: Path, header: EdfHeader) -> Iterator[bytes]:
    """Yield the entries of all records and annotation channels, without the padding."""
    for channel in header.annotations:
        for block in read_blocks(path, header, channel):
            yield from (entry for entry in block.split(b"\0") if entry.strip())


def _decode(raw: bytes) -> tuple[str, bool]:
    """Return a text, and whether it had to be decoded as Latin-1."""
    try:
        return raw.decode("utf-8").strip(), False
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip(), True
