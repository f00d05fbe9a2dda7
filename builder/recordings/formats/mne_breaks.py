"""MNE breaks: where a recording that MNE opened was interrupted.

Formats state interruptions as annotations, each with its own meaning. In BDF+, the records state
their start times, of which MNE takes no notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf_records
from psgimg.builder.recordings.edf_header import EdfHeader
from psgimg.builder.recordings.segments import Segment

SKIPPED = "bad_acq_skip"
"""MNE's annotation of time that was not recorded, which it fills with zeros."""

BREAKS = ("bad boundary", "edge boundary", "new segment/")
"""Annotations of MNE (joined files, Nihon Kohden) and BrainVision where recording resumed."""

EEGLAB_BREAK = "boundary"
"""EEGLAB's annotation where signal was cut out; its duration is that of the removed signal."""

MIN_SEGMENT_S = 1.0
"""Shorter segments can't be filtered, and no page fits in them."""


def refuse_marks_without_time(raw: Any, marks: Any, path: Path) -> None:
    """Refuse an undated FIF that begins late: MNE 1.13 misplaces its skipped time."""
    skips = any(mark["description"].lower().startswith(SKIPPED) for mark in marks)
    if skips and marks.orig_time is None and raw.first_samp > 0:
        raise RecordingError(
            "interruptions at unknown times",
            f"{path.name}: without a date, MNE can't locate its interruptions; set one "
            "(raw.set_meas_date) before saving, or export the recording as EDF",
        )


class Gap(NamedTuple):
    """After ``after_s`` of signal, ``gone_s`` were not recorded."""

    after_s: Fraction
    gone_s: float


class _Break(NamedTuple):
    """Samples ``start`` to ``stop`` are no signal; a further ``gone_s`` is missing in the file."""

    start: int
    stop: int
    gone_s: float


def uninterrupted(
    raw: Any, marks: Any, sfreq_hz: Fraction, gaps: Sequence[Gap]
) -> tuple[tuple[Segment, ...], tuple[tuple[int, int], ...]]:
    """Return the uninterrupted segments, in records read and in MNE's samples."""
    segments: list[Segment] = []
    kept: list[tuple[int, int]] = []
    start, gone_s, joined = 0, 0.0, 0
    origin_s = raw.first_time if marks.orig_time is not None else 0.0
    end = _Break(raw.n_times, raw.n_times, 0.0)
    places = [(round(gap.after_s * sfreq_hz), gap.gone_s) for gap in gaps]
    breaks = [_Break(first, first, gone) for first, gone in places]
    for pause in sorted([*_breaks(marks, origin_s, float(sfreq_hz)), *breaks, end]):
        if pause.start > raw.n_times:
            break
        n_samples = pause.start - start
        if n_samples >= MIN_SEGMENT_S * sfreq_hz:
            segments.append(Segment(float(start / sfreq_hz) + gone_s, joined, joined + n_samples))
            kept.append((start, pause.start))
            joined += n_samples
        start, gone_s = max(start, pause.stop), gone_s + pause.gone_s
    return tuple(segments), tuple(kept)


def bdf_gaps(path: Path, header: EdfHeader) -> tuple[list[Gap], tuple[str, ...]]:
    """Return the gaps between the records of a BDF+, of which MNE takes no notice, and notes."""
    segments, notes = edf_records.segments(path, header)
    record_s = header.record_s
    gaps = [
        Gap(after.first * record_s, after.onset_s - before.stop_s(record_s))
        for before, after in pairwise(segments)
    ]
    return gaps, notes


def _breaks(marks: Any, origin_s: float, sfreq_hz: float) -> Iterator[_Break]:
    """Yield the interruptions of a recording, from the annotations that MNE read or created."""
    for mark in marks:
        text = mark["description"].lower()
        onset_s, length_s = mark["onset"] - origin_s, mark["duration"]
        first = max(0, ceil(onset_s * sfreq_hz - 1e-3))  # first sample at or after the annotation
        if text.startswith(SKIPPED):
            yield _Break(first, ceil((onset_s + length_s) * sfreq_hz - 1e-3), 0.0)
        elif text == EEGLAB_BREAK and first > 0:
            yield _Break(first, first, float(np.nan_to_num(length_s)))
        elif text.startswith(BREAKS):
            yield _Break(first, first, 0.0)
