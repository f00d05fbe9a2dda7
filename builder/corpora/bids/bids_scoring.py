"""BIDS scoring: read the stages of a recording from a table of events.

Rows are runs of a stage, of one epoch or many; a duration of 0 or ``n/a`` means one epoch. The same
column may hold other events, such as arousals, which are passed over. Nobody marks them as such: an
unknown word is another event if it lies within a run of a stage, or is no whole number of epochs long.
Otherwise it is a stage that psgimg does not know, and is refused by name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.corpora.bids import stage_columns, vocabulary
from psgimg.builder.corpora.bids.bids_file import BidsFile, entities_of, parse
from psgimg.builder.corpora.bids.bids_form import BidsForm
from psgimg.builder.corpora.bids.bids_table import BidsTable, read_object, read_table
from psgimg.builder.corpora.bids.stage_columns import StageColumn
from psgimg.builder.corpora.reading import check_runs, number, scoring_of
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import TOLERANCE_S, Event, Hypnogram, from_events
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score, Stage

EPOCH_S = 30.0
N_SHOWN = 5
PARTS = ("ses", "task", "run", "acq")
"""Entities that tell the recordings of a person apart."""


@dataclass(frozen=True)
class _Row:
    """A row of a table; ``stated`` is whether it has a duration."""

    onset_s: float
    duration_s: float
    stated: bool
    text: str


def read_hypnogram(form: BidsForm, recording: Recording, scorer: str) -> Hypnogram:
    """Read the stages of a scorer, who is the name of a column.

    Raises
    ------
    RecordingError
        If there is no such column, or it can't be read.
    """
    path = scoring_of(recording, scorer if scorer in recording.scorings else "")
    table, levels = tables(path, recording.signal, recording.side_files)
    name = scorer or next(filter(None, (*form.columns, *recording.scorings)), "")
    if name:
        column = stage_columns.named(name, table, levels, form.stages)
    elif found := stage_columns.find(table, levels, form.stages):
        column = found[0]
    else:
        raise stage_columns.no_stages(
            f"{path.name} has the columns {', '.join(table.columns)}, none with known stages", ()
        )
    rows = _rows(table, column.name)
    events = _runs(rows, column, f"{path.name}, column {column.name}")
    runs = check_runs(events, EPOCH_S, path.name)
    return from_events(runs, epoch_s=EPOCH_S, scorer=scorer, notes=_doubts(rows))


def columns(
    form: BidsForm, path: Path, signal: Path, side_files: Iterable[Path]
) -> tuple[str, ...]:
    """Return the columns with stages of a table on disk, first those of ``form``, in its spelling.

    There are none if the table can't be read.
    """
    try:
        table, levels = tables(path, signal, side_files)
        found = [one.name for one in stage_columns.find(table, levels, form.stages)]
    except RecordingError:  # the build reads it again, and says what is wrong
        return ()
    stated = {table.find(name): name for name in form.columns if table.find(name)}
    return (*stated.values(), *(name for name in found if name not in stated))


def tables(
    path: Path, signal: Path, side_files: Iterable[Path]
) -> tuple[BidsTable, dict[str, Any]]:
    """Return the rows of a table that belong to a signal, and the ``Levels`` of its columns.

    Raises
    ------
    RecordingError
        If one of the files can't be read.
    """
    levels: dict[str, Any] = {}
    for side_file in side_files:
        file = parse(side_file)
        if file and file.has("events", ".json"):
            for column, described in read_object(side_file).items():
                if isinstance(described, dict) and "Levels" in described:
                    levels[column] = described["Levels"]
    table = read_table(path)
    own, events = parse(signal), parse(path)
    if own is None or (events and events.has("events", ".tsv")):  # of one recording
        return table, levels
    return table.only(_of(table, own)), levels


def is_named_after(path: Path, signal: BidsFile) -> bool:
    """Whether the name of a table outside the layout, ``sub-01_ses-2_stages``, is that of a signal."""
    stem = path.stem.lower()
    sub = re.escape(signal.entities["sub"])
    if not re.fullmatch(rf"(.*[^a-z0-9])?sub-{sub}([^a-z0-9].*)?", stem):
        return False
    stated = ((key, re.search(rf"(?<![a-z0-9]){key}-([a-z0-9]+)", stem)) for key in PARTS)
    return all(match is None or _is_label(match[1], key, signal) for key, match in stated)


def is_shared(path: Path, signal: BidsFile, others: Sequence[BidsFile]) -> bool:
    """Whether a row of a table could be of a signal as well as of another one of the same person."""
    if not others:
        return False
    try:
        table = read_table(path)
        own = _of(table, signal)
        return any(a and b for one in others for a, b in zip(own, _of(table, one), strict=True))
    except RecordingError:  # the build reads it again, and says what is wrong
        return False


def _of(table: BidsTable, signal: BidsFile) -> list[bool]:
    """Return which rows are of one recording, where a table has those of several of a person."""
    kept = [True] * len(table.rows)
    for name in table.columns:
        key = {"session": "ses"}.get(name.lower(), name.lower())
        if key in PARTS:
            named = [_names(value, key, signal) for value in table.values(name)]
            kept = [a and b for a, b in zip(kept, named, strict=True)]
    return kept


def _names(value: str, key: str, signal: BidsFile) -> bool:
    """Whether a value such as ``task-rest_run-1``, ``ses-2`` or ``2`` names a signal."""
    stated = entities_of(value) or {key: value.lower()}
    return all(_is_label(label, each, signal) for each, label in stated.items())


def _is_label(label: str, key: str, signal: BidsFile) -> bool:
    """Whether a signal has a label, whatever zeros precede its number."""
    return signal.entities.get(key, "").lstrip("0") == label.lstrip("0")


def _rows(table: BidsTable, column: str) -> list[_Row]:
    """Return the rows with a value in the column."""
    onset = table.find("onset") or next(
        (name for name in table.columns if "onset" in name.lower() or "start" in name.lower()), None
    )
    if onset is None:
        raise RecordingError(
            "unreadable table",
            f"{table.name} has no column onset, but {', '.join(table.columns)}; name it so",
        )
    duration = table.find("duration")
    onsets = table.values(onset)
    durations = table.values(duration) if duration else [""] * len(onsets)
    rows = []
    for i, text in enumerate(table.values(column)):
        where = f"{table.name}, row {i + 2}"
        if text:
            length_s = number(durations[i], where) if durations[i] else 0.0
            rows.append(_Row(number(onsets[i], where), length_s or EPOCH_S, length_s != 0, text))
    return rows


def _runs(rows: Sequence[_Row], column: StageColumn, where: str) -> list[Event]:
    """Return the runs of stages and of unscored time, without other events."""
    staged = [row for row in rows if isinstance(column.scores.get(row.text), Stage)]
    if not staged:
        raise stage_columns.no_stages(f"{where} has no stage", [row.text for row in rows])
    spans = _Spans(staged)
    others = [row for row in rows if not isinstance(column.scores.get(row.text), Stage)]
    stated = all(row.stated for row in staged)
    unknown = [
        row
        for row in others
        if row.text not in column.scores and _may_be_stage(row, spans, stated=stated)
    ]
    if unknown:
        texts = list(dict.fromkeys(row.text[:40] for row in unknown))
        more = f" and {len(texts) - N_SHOWN} others" if len(texts) > N_SHOWN else ""
        raise RecordingError(
            "unknown stage word",
            f"{where} has {', '.join(map(repr, texts[:N_SHOWN]))}{more}, no stages that psgimg knows; "
            "explain them as Levels in the JSON beside the table, or under stages in a YAML file",
        )
    unscored = [row for row in others if row.text in column.scores and not spans.covers(row)]
    return [_event(row, column.scores) for row in (*staged, *unscored)]


def _event(row: _Row, scores: Mapping[str, Score]) -> Event:
    return Event(row.onset_s, row.duration_s, scores[row.text])


def _may_be_stage(row: _Row, spans: _Spans, *, stated: bool) -> bool:
    """Whether a row with an unknown word could be a stage rather than another event.

    Parameters
    ----------
    stated
        Whether every stage of the table has a duration.
    """
    if vocabulary.looks_like_stage(row.text):
        return True
    if spans.covers(row) or (stated and not row.stated):
        return False
    n_epochs = round(row.duration_s / EPOCH_S)
    return n_epochs >= 1 and abs(row.duration_s - n_epochs * EPOCH_S) <= TOLERANCE_S


class _Spans:
    """The time that runs of stages take."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._spans = sorted((row.onset_s, row.onset_s + row.duration_s) for row in rows)
        self._starts = [start_s for start_s, _ in self._spans]

    def covers(self, row: _Row) -> bool:
        """Whether a row shares time with a run of a stage."""
        last = bisect_right(self._starts, row.onset_s + row.duration_s - TOLERANCE_S) - 1
        return last >= 0 and self._spans[last][1] > row.onset_s + TOLERANCE_S


def _doubts(rows: Iterable[_Row]) -> tuple[str, ...]:
    n = sum(vocabulary.is_doubtful(row.text) for row in rows)
    return (f"{n} epochs whose stage the scorer doubted count as unscored",) if n else ()
