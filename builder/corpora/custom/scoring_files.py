"""Scoring files: read common scoring formats with the stage words defined in a corpus file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora import csv_table
from psgimg.builder.corpora.annotations import Shift, start_shift
from psgimg.builder.corpora.nsrr import nsrr_xml
from psgimg.builder.corpora.reading import check_runs, number, read_text, scoring_of
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events, from_scores
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score

XML = {"nsrr": nsrr_xml.read_nsrr, "profusion": nsrr_xml.read_profusion}
"""Formats with their own stage words and epochs of 30 s."""

DELIMITERS = {"csv": ",", "tsv": "\t"}
FORMATS = ("annotations", *DELIMITERS, "txt", *XML)
COLUMNS = ("onset", "duration", "stage")

N_SHOWN = 5
"""Maximum number of unknown words in a message."""


@dataclass(frozen=True)
class ScoringForm:
    """Format of the scorings of a corpus.

    Parameters
    ----------
    format
        One of ``FORMATS``.
    stages
        Word in the files → stage, or reason why there is none.
    ignore
        Words for events that are not stages; ``*`` matches anything (``Arousal*``).
    columns
        For a table, the name of each of ``COLUMNS``. Without ``onset``, each row is an epoch, the
        first one starting at the signal's first sample; without ``duration``, each row lasts an
        epoch.
    epoch_s
        Duration of an epoch in seconds.
    where
        Name of the corpus file, for messages.
    """

    format: str
    stages: Mapping[str, Score]
    ignore: tuple[str, ...]
    columns: Mapping[str, str]
    epoch_s: float
    where: str

    @property
    def by_epoch(self) -> bool:
        """Whether a file has one word per epoch, without times."""
        return self.format == "txt" or (self.format in DELIMITERS and "onset" not in self.columns)


@dataclass(frozen=True)
class _Row:
    """A word in a scoring file, with its onset in seconds from the signal's first sample."""

    word: str
    onset_s: float = 0.0
    duration_s: float = 0.0


def read_hypnogram(form: ScoringForm, recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring of a scorer.

    Raises
    ------
    RecordingError
        If it is missing or can't be read, has an undefined word, or is on another epoch grid.
    """
    path = scoring_of(recording, scorer)
    if form.format in XML:
        return XML[form.format](path, scorer=scorer)
    notes: tuple[str, ...] = ()
    if form.format == "annotations":
        rows, notes = _annotations(path, recording.signal)
    elif form.format == "txt":
        rows = [_Row(line.strip()) for line in read_text(path).strip().splitlines()]
    else:
        rows = list(_table(form, path))
    scored = [row for row in rows if not _ignored(form, row.word)]
    if not scored:
        raise RecordingError("empty scoring", f"{path.name} has no stage; get the file again")
    _refuse_unknown(form, scored, path.name)
    if form.by_epoch:
        scores = [form.stages[row.word] for row in scored]
        return from_scores(scores, epoch_s=form.epoch_s, scorer=scorer)
    events = [Event(row.onset_s, row.duration_s, form.stages[row.word]) for row in scored]
    runs = check_runs(events, form.epoch_s, path.name)
    return from_events(runs, epoch_s=form.epoch_s, scorer=scorer, notes=notes)


def _annotations(path: Path, signal: Path) -> tuple[list[_Row], tuple[str, ...]]:
    from psgimg.builder.recordings import edf_annotations  # NumPy; listing corpora must not load it

    shift = Shift(0.0) if path == signal else start_shift(path, signal)
    read = edf_annotations.read_annotations(path)
    return [_Row(one.text, one.onset_s + shift.seconds, one.duration_s) for one in read.events], (
        *read.notes,
        *shift.notes,
    )


def _table(form: ScoringForm, path: Path) -> Iterator[_Row]:
    delimiter = DELIMITERS[form.format]
    rows = csv_table.rows_of(read_text(path), path.name, delimiter, skip_spaces=True)
    header = [cell.strip() for cell in next(rows)[1]]
    missing = [column for column in form.columns.values() if column not in header]
    if missing:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} has no column {', '.join(missing)} in its first line "
            f"({', '.join(header)[:80]}); give `columns` in {form.where}, or get the file again",
        )
    place = {column: header.index(name) for column, name in form.columns.items()}
    for where, cells in rows:
        if len(cells) <= max(place.values()):
            raise RecordingError("unreadable scoring", f"{where} is incomplete; get the file again")
        texts = {column: cells[i].strip() for column, i in place.items()}
        times = {
            column: number(texts[column], where)
            for column in ("onset", "duration")
            if column in texts
        }
        yield _Row(texts["stage"], times.get("onset", 0.0), times.get("duration", form.epoch_s))


def _ignored(form: ScoringForm, word: str) -> bool:
    return word not in form.stages and any(_matches(pattern, word) for pattern in form.ignore)


def _matches(pattern: str, word: str) -> bool:
    """Whether a word matches a pattern, in linear time, unlike a regular expression of many ``.*``."""
    first, *rest = pattern.split("*")
    if not rest or not word.startswith(first):
        return word == pattern
    place = len(first)
    for part in rest[:-1]:
        place = word.find(part, place) + len(part)
        if place < len(part):
            return False
    return word.endswith(rest[-1]) and place <= len(word) - len(rest[-1])


def _refuse_unknown(form: ScoringForm, rows: Sequence[_Row], name: str) -> None:
    """Refuse words that the corpus file does not define.

    The message may be published with the dataset. It therefore shows only words that last at least
    an epoch, like stages; shorter ones may be free text of a technician and are only counted.
    """
    unknown = [row for row in rows if row.word not in form.stages]
    if not unknown:
        return
    long = (row for row in unknown if form.by_epoch or row.duration_s >= form.epoch_s)
    words = list(dict.fromkeys(row.word[:40] for row in long))
    n_more = len({row.word for row in unknown}) - len(words[:N_SHOWN])
    shown = [repr(word) for word in words[:N_SHOWN]]
    if n_more:
        shown.append(f"{n_more} other texts" if shown else f"{n_more} texts shorter than an epoch")
    place = "stages" if form.by_epoch else "stages, or under ignore if it is another event"
    raise RecordingError(
        "unknown stage word",
        f"{name} has {', '.join(shown)}, not defined in {form.where}; add each under {place}",
    )
