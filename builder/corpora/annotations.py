"""Scorings kept as EDF+ annotations, beside the signal or in a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from psgimg.builder.corpora.reading import check_runs, score
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.stages import Score

STAGE_PREFIX = "Sleep stage"
"""How EDF+ (section 3.2) begins every stage; what begins otherwise is another kind of event."""

LONGEST_SHIFT_S = 12 * 3600.0


def read_annotated(
    scoring: Path, signal: Path, codes: Mapping[str, Score], *, epoch_s: float, scorer: str = ""
) -> Hypnogram:
    """Hypnogram of an annotation file, its onsets counted from the signal's first sample.

    Annotations that the table does not know are an error if they begin like a stage, and other
    events (lights, spindles) if they do not.

    Raises
    ------
    RecordingError
        If the file can't be read, has no stage, an unknown one, or one on another epoch grid.
    """
    from psgimg.builder.recordings import edf  # loads NumPy, and listing corpora must not

    if not scoring.is_file():
        raise RecordingError("scoring missing", f"{scoring.name} is not there; get the file again")
    shift_s = start_shift_s(scoring, signal)
    events = [
        Event(found.onset_s + shift_s, found.duration_s, score(found.text, codes, scoring.name))
        for found in edf.read_annotations(scoring)
        if found.text in codes or found.text.startswith(STAGE_PREFIX)
    ]
    if not events:
        raise RecordingError(
            "empty scoring", f"{scoring.name} has no {STAGE_PREFIX!r}; is it another kind of file?"
        )
    return from_events(check_runs(events, epoch_s, scoring.name), epoch_s=epoch_s, scorer=scorer)


def start_shift_s(scoring: Path, signal: Path) -> float:
    """How many seconds after the signal's start the scoring file starts; mostly 0.

    Raises
    ------
    RecordingError
        If they are so far apart that they can't be of one night.
    """
    from psgimg.builder.recordings import edf

    shift = edf.start_datetime(scoring) - edf.start_datetime(signal)
    shift_s = shift.total_seconds()
    if abs(shift_s) > LONGEST_SHIFT_S:
        raise RecordingError(
            "scoring of another time",
            f"{scoring.name} starts {shift_s / 3600:.1f} h away from {signal.name}; check that "
            "the two belong together",
        )
    return shift_s
