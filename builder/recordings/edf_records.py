"""EDF records: when each record starts, and the gapless segments that follow from it.

EDF+ states the onset of every record in an annotation. These onsets count whatever the header says
of gaps. Records belong to one segment while their onsets agree with its start and the duration of
a record to ``TOLERANCE_S``; so signal and labels never differ by more, even if they drift apart.
"""

from __future__ import annotations

from itertools import pairwise
from math import isnan, nan
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf_fields
from psgimg.builder.recordings.edf_blocks import read_blocks
from psgimg.builder.recordings.edf_channels import Channel
from psgimg.builder.recordings.edf_header import ONSET_BYTES, EdfHeader
from psgimg.builder.recordings.segments import Segment

TOLERANCE_S = 0.1
"""A 300th of an epoch: more than the rounding of onsets in files, less than a label can notice."""

CHUNK = 100_000
"""Number of records whose onsets are parsed at a time."""

MOST_SEGMENTS = 5000
"""A night in more pieces has hardly any epoch without a gap, and would take long to search for one."""

SEPARATOR, DURATION = 0x14, 0x15
IN_TIMES = np.isin(np.arange(256), [*b"0123456789+-.,eE", DURATION])
"""Whether a byte occurs in an onset or the duration behind it, shape (256,)."""

GAPS = "the start times of records have gaps, although the header does not say EDF+D"
DRIFT = (
    f"the start times of records drift; the signal is split where they differ by {TOLERANCE_S} s"
)
NO_ONSETS = "no record states its start time; the recording is taken as gapless"
FEW_ONSETS = "some records do not state their start time; those that do have no gaps"


def segments(path: Path, header: EdfHeader) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """Return the gapless segments of a file, and notes on the onsets of its records.

    Raises
    ------
    RecordingError
        If records overlap or run backwards, or their onsets are needed and can't be read.
    """
    onsets_s = record_onsets(path, header)
    known = np.flatnonzero(~np.isnan(onsets_s))
    missing = len(known) < header.n_records
    if missing and header.discontinuous:
        raise _without_onset(path, header, header.n_records - len(known))
    if not len(known):
        return (Segment(0.0, 0, header.n_records),), (NO_ONSETS,) if header.annotations else ()
    starts, drifts = _starts(path, known, onsets_s[known], float(header.record_s))
    if len(starts) == 1:
        return (Segment(0.0, 0, header.n_records),), (FEW_ONSETS,) if missing else ()
    if missing:
        raise _without_onset(path, header, header.n_records - len(known))
    if len(starts) > MOST_SEGMENTS:
        raise RecordingError(
            "too many gaps",
            f"{path.name}: by the start times of its {header.n_records} records, there are "
            f"{len(starts) - 1} gaps; re-export it, with the true duration of a record",
        )
    bounds = pairwise([*starts, header.n_records])
    notes = ((DRIFT,) if drifts else ()) + (() if header.discontinuous else (GAPS,))
    # Rounding removes the noise of the difference; files state onsets to 1e-7 s at best.
    return (
        tuple(Segment(round(float(onsets_s[a] - onsets_s[0]), 9), a, b) for a, b in bounds),
        notes,
    )


def first_onset_s(path: Path, header: EdfHeader) -> float | None:
    """Return the onset of the first record, usually the start time's fraction of a second."""
    clock = _clock(path, header)
    first_s = nan if clock is None else float(_onsets_of(path, header, clock, range(1))[0])
    return None if isnan(first_s) else first_s


def record_onsets(path: Path, header: EdfHeader) -> npt.NDArray[np.float64]:
    """Return the onset of each record in seconds, shape (n_records,); NaN where it can't be read."""
    clock = _clock(path, header)
    if clock is None:
        return np.full(header.n_records, nan)
    records = range(header.n_records)
    chunks = (records[first : first + CHUNK] for first in records[::CHUNK])
    return np.concatenate([_onsets_of(path, header, clock, chunk) for chunk in chunks])


def _clock(path: Path, header: EdfHeader) -> Channel | None:
    """Return the annotation channel that states the onsets: the first one, or one that does."""
    for channel in header.annotations:
        if not isnan(_onsets_of(path, header, channel, range(1))[0]):
            return channel
    return header.annotations[0] if header.annotations else None


def _onsets_of(
    path: Path, header: EdfHeader, clock: Channel, records: range
) -> npt.NDArray[np.float64]:
    """Parse the onsets of some records, shape (n_records,); NaN where there is none."""
    width = min(ONSET_BYTES, header.sample_bytes * clock.n_samples)
    onsets_s = np.full(len(records), np.nan)
    if not width:
        return onsets_s
    content = b"".join(read_blocks(path, header, clock, records, width))
    blocks = np.frombuffer(content, np.uint8).reshape(-1, width)
    ends = (blocks == SEPARATOR).argmax(axis=1)
    after = blocks[np.arange(len(records)), np.minimum(ends + 1, width - 1)]
    beyond = np.arange(width) >= ends[:, np.newaxis]
    stated = (ends > 0) & (after == SEPARATOR) & (IN_TIMES[blocks] | beyond).all(axis=1)
    beyond |= np.logical_or.accumulate(blocks == DURATION, axis=1)
    texts = np.where(beyond, np.uint8(0), blocks)[stated]
    onsets_s[stated] = _numbers(texts.view(f"S{width}")[:, 0])
    return onsets_s


def _numbers(texts: npt.NDArray[np.bytes_]) -> npt.NDArray[np.float64]:
    """Parse numbers, shape (n,); NaN where a text is none."""
    try:  # all at once, in the common case that all are numbers with a decimal point
        parsed = texts.astype(np.float64)
        return np.where(np.isfinite(parsed), parsed, np.nan)
    except ValueError:
        return np.array([_number(text.decode("ascii")) for text in texts.tolist()])


def _number(spelt: str) -> float:
    try:
        return edf_fields.real(spelt)
    except ValueError:
        return nan


def _starts(
    path: Path, records: npt.NDArray[np.intp], onsets_s: npt.NDArray[np.float64], record_s: float
) -> tuple[list[int], bool]:
    """Return the first record of each segment, and whether any begins without a gap before it."""
    steps_s = np.diff(records) * record_s
    jumps_s = np.diff(onsets_s) - steps_s
    overlaps = np.flatnonzero(jumps_s < -min(TOLERANCE_S, record_s / 2))
    if len(overlaps):
        i = int(overlaps[0]) + 1
        raise RecordingError(
            "records out of order",
            f"{path.name}: record {records[i]} starts at {onsets_s[i]:g} s, before record "
            f"{records[i - 1]} ends; re-export the recording",
        )
    line_s = onsets_s - records * record_s
    if np.ptp(line_s) <= TOLERANCE_S:
        return [int(records[0])], False
    starts, drifts, origin_s = [0], False, line_s[0]
    for i, offset_s in enumerate(line_s.tolist()):
        if abs(offset_s - origin_s) > TOLERANCE_S:
            starts.append(i)
            drifts |= abs(jumps_s[i - 1]) <= TOLERANCE_S
            origin_s = offset_s
    return [int(records[i]) for i in starts], bool(drifts)


def _without_onset(path: Path, header: EdfHeader, n_missing: int) -> RecordingError:
    flag = "the header says EDF+D" if header.discontinuous else "its records have gaps"
    return RecordingError(
        "record without onset",
        f"{path.name}: {flag}, but {n_missing} of {header.n_records} records do not state their start "
        "time; re-export it",
    )
