"""Annotations: read scorings stored as EDF+ annotations, in the signal file or a separate one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from psgimg.builder.corpora.reading import check_runs, score
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.stages import Score

STAGE_PREFIX = "Sleep stage"
"""Prefix of every stage in EDF+ (section 3.2), in any case; others are other kinds of event."""

LONGEST_SHIFT_S = 12 * 3600.0
LONGEST_UNDATED_S = 8 * 3600.0
"""Without a date. Beyond, a clock without AM and PM is likelier, which is off by twelve hours."""

CENTURY = timedelta(days=36525)
"""EDF has years of two digits: a night may begin in 84, which is 2084, and end in 1985."""

DAY = timedelta(days=1)
NO_DATE_YEARS = (85, 70, 0)
"""Years whose 1 January stands for no date: that of EDF+, of Unix, and of MNE or 1900."""


class Shift(NamedTuple):
    """How many seconds after its signal a scoring starts, and a note if their dates did not tell."""

    seconds: float
    notes: tuple[str, ...] = ()


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
    shift = start_shift(scoring, signal)
    read = edf_annotations.read_annotations(scoring)
    events = [
        Event(one.onset_s + shift.seconds, one.duration_s, score(one.text, codes, scoring.name))
        for one in read.events
        if one.text in codes or is_stage(one.text)
    ]
    if not events:
        raise RecordingError(
            "empty scoring",
            f"{scoring.name} has no {STAGE_PREFIX!r}; check that it is a scoring file",
        )
    runs = check_runs(events, epoch_s, scoring.name)
    notes = (*read.notes, *shift.notes)
    return from_events(runs, epoch_s=epoch_s, scorer=scorer, notes=notes)


def is_stage(text: str) -> bool:
    """Whether an annotation is a stage, however it is spelt: none may be lost as another event."""
    return " ".join(text.split()).casefold().startswith(STAGE_PREFIX.casefold())


def start_shift(scoring: Path, signal: Path) -> Shift:
    """Return how long after the signal the scoring file starts; usually 0 s.

    Raises
    ------
    RecordingError
        If the two are too far apart to belong to the same night.
    """
    from psgimg.builder.recordings import edf

    starts = edf.start_datetime(scoring), edf.start_datetime(signal)
    return shift_between(scoring.name, starts[0], signal.name, starts[1])


def shift_between(scoring: str, its_start: datetime, signal: str, start: datetime) -> Shift:
    """Return how long after its signal a scoring starts, given both starts and names.

    If one of the two has a clock time but no date, as in anonymised files, the start nearest by the
    clock is taken.

    Raises
    ------
    RecordingError
        As ``start_shift``.
    """
    shift = its_start - start.replace(tzinfo=None)
    by_date = _nearest(shift, CENTURY)
    undated = [
        name for name, when in ((scoring, its_start), (signal, start)) if not _is_dated(when)
    ]
    seconds = _nearest(shift, DAY) if undated else by_date
    if abs(seconds) <= (LONGEST_UNDATED_S if undated else LONGEST_SHIFT_S):
        note = f"{' and '.join(undated)} without a date: placed by the time of day"
        return Shift(seconds, () if seconds == by_date else (note,))
    by = " by the clock (there is no date)" if undated else ""
    raise RecordingError(
        "scoring of another time",
        f"{scoring} starts {seconds / 3600:.1f} h apart from {signal}{by}; check that the two belong "
        "together and that no clock lacks AM or PM, and correct the start in the header of one",
    )


def _nearest(shift: timedelta, period: timedelta) -> float:
    """Return a shift in seconds without whole periods: within half of one, before or after."""
    return ((shift + period / 2) % period - period / 2).total_seconds()


def _is_dated(when: datetime) -> bool:
    return (when.month, when.day) != (1, 1) or when.year % 100 not in NO_DATE_YEARS
