"""Scoring files in the usual formats, with stage words that the user's corpus file explains."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora import nsrr_xml
from psgimg.builder.corpora.annotations import start_shift_s
from psgimg.builder.corpora.reading import check_runs, number, read_text, scoring_of
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events, from_scores
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score

XML = {"nsrr": nsrr_xml.read_nsrr, "profusion": nsrr_xml.read_profusion}
"""Formats that bring their own stage words, and epochs of 30 s."""

DELIMITERS = {"csv": ",", "tsv": "\t"}
FORMATS = ("annotations", *DELIMITERS, "txt", *XML)
COLUMNS = ("onset", "duration", "stage")

N_SHOWN = 5
"""Unknown words that a message shows."""


@dataclass(frozen=True)
class ScoringForm:
    """How the scorings of a corpus are written.

    Parameters
    ----------
    format
        One of ``FORMATS``.
    stages
        Word of the files → stage, or why there is none.
    ignore
        Words that are other events than stages; ``*`` stands for anything (``Arousal*``).
    columns
        Of a table: what each of ``COLUMNS`` is called. Without ``onset``, each row is an epoch, the
        first from the signal's first sample on; without ``duration``, each row lasts an epoch.
    where
        The file that says all this, for messages.
    """

    format: str
    stages: Mapping[str, Score]
    ignore: tuple[str, ...]
    columns: Mapping[str, str]
    epoch_s: float
    where: str

    @property
    def by_epoch(self) -> bool:
        """Whether a file has a word an epoch, without times."""
        return self.format == "txt" or (self.format in DELIMITERS and "onset" not in self.columns)


@dataclass(frozen=True)
class _Row:
    """A word in a scoring file, with its time in seconds from the signal's first sample."""

    word: str
    onset_s: float = 0.0
    duration_s: float = 0.0


def read_hypnogram(form: ScoringForm, recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring of a scorer.

    Raises
    ------
    RecordingError
        If it is missing or can't be read, has a word that is not explained, or another epoch grid.
    """
    path = scoring_of(recording, scorer)
    if form.format in XML:
        return XML[form.format](path, scorer=scorer)
    if form.format == "annotations":
        rows = _annotations(path, recording.signal)
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
    return from_events(runs, epoch_s=form.epoch_s, scorer=scorer)


def _annotations(path: Path, signal: Path) -> list[_Row]:
    from psgimg.builder.recordings import edf  # loads NumPy, and listing corpora must not

    shift_s = 0.0 if path == signal else start_shift_s(path, signal)
    return [
        _Row(found.text, found.onset_s + shift_s, found.duration_s)
        for found in edf.read_annotations(path)
    ]


def _table(form: ScoringForm, path: Path) -> Iterator[_Row]:
    lines = io.StringIO(read_text(path), newline="")
    rows = csv.reader(lines, delimiter=DELIMITERS[form.format], skipinitialspace=True)
    header = [cell.strip() for cell in next(rows)]
    missing = [column for column in form.columns.values() if column not in header]
    if missing:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} has no column {', '.join(missing)} in its first line "
            f"({', '.join(header)[:80]}); give `columns` in {form.where}, or get the file again",
        )
    place = {column: header.index(name) for column, name in form.columns.items()}
    for cells in rows:
        where = f"{path.name}, line {rows.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) <= max(place.values()):
            raise RecordingError("unreadable scoring", f"{where} is cut short; get the file again")
        found = {column: cells[i].strip() for column, i in place.items()}
        times = {
            column: number(found[column], where)
            for column in ("onset", "duration")
            if column in found
        }
        yield _Row(found["stage"], times.get("onset", 0.0), times.get("duration", form.epoch_s))


def _ignored(form: ScoringForm, word: str) -> bool:
    return word not in form.stages and any(
        re.fullmatch(".*".join(map(re.escape, known.split("*"))), word) for known in form.ignore
    )


def _refuse_unknown(form: ScoringForm, rows: Sequence[_Row], name: str) -> None:
    """Refuse words that the corpus file does not explain.

    A message may be published with the dataset. So it shows those that last an epoch or are one, as
    stages do; what is shorter may be a technician's free text, and is only counted.
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
        f"{name} has {', '.join(shown)}, which {form.where} does not explain; add each under {place}",
    )
