"""Scoring grid: where the epochs of a scoring lie, in whatever format; its stages are not used.

The format is recognised by the content: EDF+ annotations, the two XML formats of the NSRR, an
expert's table of ISRUC, tables with a heading (HMC's, psgimg's own ``hypnogram.csv``, or any with the
columns ``onset`` and ``stage``, perhaps ``duration``), DCSM's runs, and one stage per line. A file in
any other format is read as that of a corpus, built in or described by a YAML file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from psgimg.builder.corpora import csv_table, dcsm, hmc, isruc, registry
from psgimg.builder.corpora.annotations import is_stage, shift_s, start_shift_s
from psgimg.builder.corpora.nsrr import eannot, nsrr_xml
from psgimg.builder.corpora.reading import check_runs, number, read_bytes, read_text
from psgimg.builder.errors import RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Unscored

EPOCHS_S = (30.0, 20.0)
"""Lengths of epochs; the AASM manual's is tried first."""

EDF, EXCEL = (b"0       ", b"\xffBIOSEMI"), b"PK\x03\x04"
"""First bytes of EDF and BDF files, and of Excel tables."""

ONSET, DURATION, STAGE = ("onset_s", "onset"), ("duration_s", "duration"), ("stage",)
"""Names of the columns of a table, in any case."""

STAGE_WORD = re.compile(
    r"((sleep )?stage )?(w(ake)?|awake|r(em)?|[0-5]|(s|n|nrem) ?[1-4]|\?|m(t|ovement)?( time)?"
    r"|unscored|unknown|)",
    re.IGNORECASE,
)
"""Words for a stage, or for an epoch without one, where other events may be listed too."""


def read(path: Path, signal: Path, start: datetime | None, form: str | None = None) -> Hypnogram:
    """Read the onsets and the length of the epochs of a scoring.

    Parameters
    ----------
    signal
        The recording that it belongs to, which may be the same file.
    start
        Start of that recording according to its file; None if unknown.
    form
        Corpus, or YAML file of one, whose scorings have this format; None recognises the format.

    Returns
    -------
    A hypnogram whose onsets count from the first sample of the recording.

    Raises
    ------
    BuildError
        If there is no such corpus.
    RecordingError
        If the file can't be read, is in no known format, or has no epoch.
    """
    if form is not None:
        return _as_corpus(path, signal, form)
    if not path.is_file():
        raise RecordingError("scoring missing", f"{path} not found; give the scoring's file")
    with path.open("rb") as file:
        first = file.read(8)
    if first in EDF:
        return _annotated(path, signal, start)
    if first.startswith(EXCEL):
        return _isruc(path, signal)
    if _is_xml(path):
        profusion = b"<CMPStudyConfig" in read_bytes(path, bounded.XML)
        return nsrr_xml.read_profusion(path) if profusion else nsrr_xml.read_nsrr(path)
    return _text(path, signal, read_text(path))


def _alone(path: Path, signal: Path) -> Recording:
    """Return a recording of no corpus, whose one scoring is a file."""
    return Recording("", path.stem, path.stem, signal, {"": path})


def _isruc(path: Path, signal: Path) -> Hypnogram:
    """Read an expert's file, without the note on its stages."""
    return replace(isruc.read_hypnogram(_alone(path, signal), ""), notes=())


def _as_corpus(path: Path, signal: Path, form: str) -> Hypnogram:
    """Read a scoring as a corpus reads its own."""
    corpus = registry.corpus(form)
    stems = [path.stem, signal.stem]
    names = [found[0] for stem in stems if (found := re.search(corpus.names or "$^", stem))]
    name = names[0] if names else path.stem
    try:
        return corpus.read_hypnogram(Recording(corpus.name, name, name, signal, {"": path}), "")
    except LookupError as error:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} can't be read as a scoring of {corpus.name} without the name of one of its "
            "recordings in its own; rename it, or leave out --scoring-format",
        ) from error


def _is_xml(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def _annotated(path: Path, signal: Path, start: datetime | None) -> Hypnogram:
    """Read EDF+ annotations: those that begin like a stage, or else those that are one."""
    from psgimg.builder.recordings import edf, edf_annotations

    listed = edf_annotations.read_annotations(path)
    later_s, notes = 0.0, listed.notes
    if path.resolve() == signal.resolve():
        pass
    elif start is None:
        notes = (*notes, "scoring: taken to begin with the recording, whose start is unknown")
    elif _is_edf(signal):
        later_s = start_shift_s(path, signal)
    else:
        later_s = shift_s(path.name, edf.start_datetime(path), signal.name, start)
    texts = [
        one for one in listed.events if is_stage(one.text) or one.text.lower() == "movement time"
    ]
    texts = texts or [one for one in listed.events if STAGE_WORD.fullmatch(one.text)]
    return _on_grid([(one.onset_s + later_s, one.duration_s) for one in texts], path.name, notes)


def _is_edf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8) in EDF


def _text(path: Path, signal: Path, text: str) -> Hypnogram:
    """Read a scoring of text: a table with a heading, runs, or a stage per line."""
    recording = _alone(path, signal)
    heading = text.strip().splitlines()[0]
    delimiter = max(",;\t", key=heading.count)
    cells = [cell.strip(' "') for cell in heading.split(delimiter)]
    if set(hmc.COLUMNS) <= set(cells):
        return hmc.read_hypnogram(recording, "")
    onset, stage = _column(cells, ONSET), _column(cells, STAGE)
    if onset is not None and stage is not None:
        columns = _Columns(len(cells), onset, stage, _column(cells, DURATION))
        return _on_grid(list(_table(text, delimiter, columns, path.name)), path.name)
    if len(cells) == len(dcsm.FIELDS):
        return dcsm.read_hypnogram(recording, "")
    try:
        return eannot.read_hypnogram(recording, "")
    except RecordingError:
        pass
    try:
        return _isruc(path, signal)
    except RecordingError as error:
        raise RecordingError(
            "unknown format of scoring",
            f"{path.name} begins with {heading[:40]!r}, which is no scoring that psgimg recognises; "
            "name the corpus, or a YAML file of your own, whose scorings look like it with "
            "--scoring-format",
        ) from error


class _Columns(NamedTuple):
    """How many columns a table has, and which of them are read."""

    n: int
    onset: int
    stage: int
    duration: int | None


def _table(
    text: str, delimiter: str, columns: _Columns, where: str
) -> Iterator[tuple[float, float | None]]:
    """Yield onset and duration of each stage of a table with a heading; None without a duration."""
    rows = csv_table.rows_of(text.strip(), where, delimiter)
    next(rows)
    for place, cells in rows:
        if len(cells) < columns.n:
            raise RecordingError("unreadable scoring", f"{place} is incomplete; get the file again")
        stage = cells[columns.stage]
        if is_stage(stage) or STAGE_WORD.fullmatch(stage.strip()):
            length_s = None if columns.duration is None else number(cells[columns.duration], place)
            yield number(cells[columns.onset], place), length_s


def _column(heading: Sequence[str], names: Sequence[str]) -> int | None:
    lower = [cell.casefold() for cell in heading]
    return next((lower.index(name) for name in names if name in lower), None)


def _on_grid(
    runs: Sequence[tuple[float, float | None]], where: str, notes: tuple[str, ...] = ()
) -> Hypnogram:
    """Return runs of whole epochs as epochs of the length that divides all of them.

    Without durations, the epochs are as long as the shortest step from one to the next.
    """
    if not runs:
        raise RecordingError("empty scoring", f"{where} has no stage; check that it is a scoring")
    steps_s = np.diff(np.sort([onset_s for onset_s, _ in runs]))
    shortest_s = float(steps_s.min()) if len(steps_s) else EPOCHS_S[0]
    events = [
        Event(onset_s, shortest_s if length_s is None else length_s, Unscored.UNSCORED)
        for onset_s, length_s in runs
    ]
    wrong: list[RecordingError] = []
    for epoch_s in EPOCHS_S:
        try:
            fitting = check_runs(events, epoch_s, where)
            return from_events(fitting, epoch_s=epoch_s, notes=notes)
        except RecordingError as error:
            wrong.append(error)
    raise wrong[0]
