"""Annotations: read scorings stored as EDF+ annotations, in the signal file or a separate one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from psgimg.builder.corpora.reading import check_runs, score
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.stages import Score

STAGE_PREFIX = "Sleep stage"
"""Prefix of every stage in EDF+ (section 3.2), in any case; others are other kinds of event."""

LONGEST_SHIFT_S = 12 * 3600.0

CENTURY = timedelta(days=36525)
"""EDF has years of two digits: a night may begin in 84, which is 2084, and end in 1985."""


def read_annotated(
    scoring: Path, signal: Path, codes: Mapping[str, Score], *, epoch_s: float, scorer: str = ""
) -> Hypnogram:
    """Return the hypnogram of an annotation file, with onsets from the signal's first sample.

    An annotation that is not in the table is an error if it begins like a stage, and is ignored as
    another event (lights, spindles) otherwise.

    Raises
    ------
    RecordingError
        If the file can't be read, or has no stage, an unknown one, or one on another epoch grid.
    """
    from psgimg.builder.recordings import edf_annotations  # NumPy; listing corpora must not load it

    if not scoring.is_file():
        raise RecordingError("scoring missing", f"{scoring.name} not found; get the file again")
    shift_s = start_shift_s(scoring, signal)
    read = edf_annotations.read_annotations(scoring)
    events = [
        Event(one.onset_s + shift_s, one.duration_s, score(one.text, codes, scoring.name))
        for one in read.events
        if one.text in codes or is_stage(one.text)
    ]
    if not events:
        raise RecordingError(
            "empty scoring",
            f"{scoring.name} has no {STAGE_PREFIX!r}; check that it is a scoring file",
        )
    runs = check_runs(events, epoch_s, scoring.name)
    return from_events(runs, epoch_s=epoch_s, scorer=scorer, notes=read.notes)


def is_stage(text: str) -> bool:
    """Whether an annotation is a stage, however it is spelt: none may be lost as another event."""
    return " ".join(text.split()).casefold().startswith(STAGE_PREFIX.casefold())


def start_shift_s(scoring: Path, signal: Path) -> float:
    """Return the start of the scoring file in seconds after the start of the signal; usually 0.

    Raises
    ------
    RecordingError
        If the two are too far apart to belong to the same night.
    """
    from psgimg.builder.recordings import edf

    starts = edf.start_datetime(scoring), edf.start_datetime(signal)
    return shift_s(scoring.name, starts[0], signal.name, starts[1])


def shift_s(scoring: str, its_start: datetime, signal: str, start: datetime) -> float:
    """Return the start of a scoring in seconds after that of its signal, given both and their names.

    Raises
    ------
    RecordingError
        As ``start_shift_s``.
    """
    shift = its_start - start.replace(tzinfo=None)
    seconds = ((shift + CENTURY / 2) % CENTURY - CENTURY / 2).total_seconds()
    if abs(seconds) > LONGEST_SHIFT_S:
        raise RecordingError(
            "scoring of another time",
            f"{scoring} starts {seconds / 3600:.1f} h apart from {signal}; check that "
            "the two belong together",
        )
    return seconds
