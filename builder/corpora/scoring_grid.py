"""Scoring grid: where the epochs of a scoring lie, and their stages, in whatever format it has.

The format is recognised by the content: EDF+ annotations, the two XML formats of the NSRR, an
expert's table of ISRUC, tables with a heading (HMC's, psgimg's own ``hypnogram.csv``, or any with the
columns ``onset`` and ``stage`` or ``trial_type``, perhaps ``duration``), DCSM's runs, and one stage per line. A file in
any other format is read as that of a corpus, built in or described by a YAML file. What numbers mean
is asked for, as it differs between programs (:mod:`psgimg.builder.corpora.stage_text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from psgimg.builder.corpora import csv_table, dcsm, hmc, isruc, registry, stage_text
from psgimg.builder.corpora.annotations import Shift, is_stage, shift_between, start_shift
from psgimg.builder.corpora.nsrr import eannot, nsrr_xml
from psgimg.builder.corpora.reading import check_runs, number, read_bytes, read_text
from psgimg.builder.corpora.stage_text import Codes, is_stage_text
from psgimg.builder.errors import RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events, from_scores
from psgimg.builder.recordings.recording import Recording

EPOCHS_S = (30.0, 20.0)
"""Lengths of epochs; the AASM manual's is tried first."""

EDF, EXCEL = (b"0       ", b"\xffBIOSEMI"), b"PK\x03\x04"
"""First bytes of EDF and BDF files, and of Excel tables."""

ONSET, DURATION, STAGE = ("onset_s", "onset"), ("duration_s", "duration"), ("stage", "trial_type")
"""Names of the columns of a table, in any case."""

NO_CODES: Codes = {}


def read(
    path: Path,
    signal: Path,
    start: datetime | None,
    form: str | None = None,
    codes: Codes = NO_CODES,
) -> Hypnogram:
    """Read the epochs of a scoring.

    Parameters
    ----------
    signal
        The recording that it belongs to, which may be the same file.
    start
        Start of that recording according to its file; None if unknown.
    form
        Corpus, or YAML file of one, whose scorings have this format; None recognises the format.
    codes
        What numbers and words of a table, a list or annotations stand for. Formats that define their
        own stages are read without.

    Returns
    -------
    A hypnogram whose onsets count from the first sample of the recording.

    Raises
    ------
    BuildError
        If there is no such corpus.
    RecordingError
        If the file can't be read, is in no known format, has no epoch, or has numbers for stages
        whose meaning ``codes`` do not tell.
    """
    if form is not None:
        return _as_corpus(path, signal, form)
    if not path.is_file():
        raise RecordingError("scoring missing", f"{path} not found; give the scoring's file")
    with path.open("rb") as file:
        first = file.read(8)
    if first in EDF:
        return _annotated(path, signal, start, codes)
    if first.startswith(EXCEL):
        return _isruc(path, signal)
    if _is_xml(path):
        profusion = b"<CMPStudyConfig" in read_bytes(path, bounded.XML)
        return nsrr_xml.read_profusion(path) if profusion else nsrr_xml.read_nsrr(path)
    return _text(path, signal, read_text(path), codes)


def read_beside(
    path: Path, annotations: Path, form: str | None = None, codes: Codes = NO_CODES
) -> Hypnogram:
    """Read a scoring of the night whose annotations are in an EDF+ file that begins with the recording.

    Parameters
    ----------
    annotations
        Such a file; the recording itself is not needed. If there is none, the scoring is taken to
        begin with the recording.

    Raises
    ------
    BuildError, RecordingError
        As ``read``.
    """
    from psgimg.builder.recordings import edf

    start = edf.start_datetime(annotations) if annotations.is_file() else None
    return read(path, annotations, start, form, codes)


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


def _annotated(path: Path, signal: Path, start: datetime | None, codes: Codes) -> Hypnogram:
    """Read EDF+ annotations: those that begin like a stage, or else those that are one."""
    from psgimg.builder.recordings import edf, edf_annotations

    listed = edf_annotations.read_annotations(path)
    later = Shift(0.0)
    if path.resolve() == signal.resolve():
        pass
    elif start is None:
        later = Shift(0.0, ("scoring: taken to begin with the recording, whose start is unknown",))
    elif _is_edf(signal):
        later = start_shift(path, signal)
    else:
        later = shift_between(path.name, edf.start_datetime(path), signal.name, start)
    notes = (*listed.notes, *later.notes)
    texts = [
        one for one in listed.events if is_stage(one.text) or one.text.lower() == "movement time"
    ]
    texts = texts or [one for one in listed.events if is_stage_text(one.text, codes)]
    runs = [(one.onset_s + later.seconds, one.duration_s, one.text) for one in texts]
    return _on_grid(runs, path.name, codes, notes)


def _is_edf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8) in EDF


def _text(path: Path, signal: Path, text: str, codes: Codes) -> Hypnogram:
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
        return _on_grid(list(_table(text, delimiter, columns, path.name, codes)), path.name, codes)
    if len(cells) == len(dcsm.FIELDS):
        return dcsm.read_hypnogram(recording, "")
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if set(lines) <= set(isruc.CODES) and path.with_suffix(".xlsx").is_file():
        return _isruc(path, signal)
    if all(line and is_stage_text(line, codes) for line in lines):
        return _list(lines, path.name, codes)
    try:
        return eannot.read_hypnogram(recording, "")
    except RecordingError as error:
        raise RecordingError(
            "unknown format of scoring",
            f"{path.name} begins with {heading[:40]!r}, which is no scoring that psgimg recognises; "
            "name the corpus, or a YAML file of your own, whose scorings have this format, with "
            "--scoring-format",
        ) from error


def _list(lines: Sequence[str], where: str, codes: Codes) -> Hypnogram:
    """Read a stage per line, each of 30 s from the start of the recording on."""
    scores, told = stage_text.scores(lines, codes, where)
    return replace(from_scores([scores[line] for line in lines]), notes=told)


Run = tuple[float, float | None, str]
"""Onset and duration in seconds of a stage, None without a duration; and its word."""


class _Columns(NamedTuple):
    """How many columns a table has, and which of them are read."""

    n: int
    onset: int
    stage: int
    duration: int | None


def _table(text: str, delimiter: str, columns: _Columns, where: str, codes: Codes) -> Iterator[Run]:
    """Yield the stages of a table with a heading."""
    rows = csv_table.rows_of(text.strip(), where, delimiter)
    next(rows)
    for place, cells in rows:
        if len(cells) < columns.n:
            raise RecordingError("unreadable scoring", f"{place} is incomplete; get the file again")
        stage = cells[columns.stage]
        if is_stage(stage) or is_stage_text(stage, codes):
            length_s = None if columns.duration is None else number(cells[columns.duration], place)
            yield number(cells[columns.onset], place), length_s, stage


def _column(heading: Sequence[str], names: Sequence[str]) -> int | None:
    lower = [cell.casefold() for cell in heading]
    return next((lower.index(name) for name in names if name in lower), None)


def _on_grid(
    runs: Sequence[Run], where: str, codes: Codes, notes: tuple[str, ...] = ()
) -> Hypnogram:
    """Return runs of whole epochs as epochs of the length that divides all of them.

    Without durations, the epochs are as long as the shortest step from one to the next.
    """
    if not runs:
        raise RecordingError("empty scoring", f"{where} has no stage; check that it is a scoring")
    steps_s = np.diff(np.sort([onset_s for onset_s, *_ in runs]))
    shortest_s = float(steps_s.min()) if len(steps_s) else EPOCHS_S[0]
    scores, told = stage_text.scores((text for *_, text in runs), codes, where)
    events = [
        Event(onset_s, shortest_s if length_s is None else length_s, scores[text])
        for onset_s, length_s, text in runs
    ]
    wrong: list[RecordingError] = []
    for epoch_s in EPOCHS_S:
        try:
            fitting = check_runs(events, epoch_s, where)
            return from_events(fitting, epoch_s=epoch_s, notes=(*notes, *told))
        except RecordingError as error:
            wrong.append(error)
    raise wrong[0]
