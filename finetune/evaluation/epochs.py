"""Epochs: a file of predictions as arrays, recordings one after the other, or the reason why not.

Read is any file of the predictions contract, and any table with the columns ``recording``,
``epoch``, ``label`` and ``prediction``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.card.templates import counted
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.page_index import RecordingKey
from psgimg.finetune.metrics import metrics, predictions, table_files
from psgimg.finetune.metrics.predictions import SCHEMA, Predictions

NEEDED = ("recording", "epoch", "label", "prediction")
ORDER = ("corpus", "subject", "recording", "epoch")
LAST_EPOCH = 100_000
"""No recording is so long: such numbers are seconds, samples or dates."""

# Some tools write whole numbers as 1.0, which a column of whole numbers would refuse.
LENIENT = SCHEMA.set(SCHEMA.get_field_index("epoch"), pa.field("epoch", pa.float64()))

MEANT = {
    "WAKE": "W",
    "SLEEP STAGE W": "W",
    **{f"{word}{i}": f"N{i}" for word in ("S", "NREM", "SLEEP STAGE ") for i in (1, 2, 3)},
    **dict.fromkeys(("S4", "N4", "NREM4", "SLEEP STAGE 4"), "N3"),
    **dict.fromkeys(("R", "SLEEP STAGE R"), "REM"),
    **dict(zip(STAGE_NAMES, STAGE_NAMES, strict=True)),
}
"""What other tools call the stages, in capitals: told as the remedy, not taken for granted."""


class SubjectKey(NamedTuple):
    """Who."""

    corpus: str
    subject: str


@dataclass(frozen=True, eq=False)
class Night:
    """The epochs of one recording, ascending; see :class:`Epochs`."""

    epochs: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Epochs:
    """Epochs of a file in order of corpus, subject, recording and epoch.

    Parameters
    ----------
    source
        What lies beside the file as FILE.json; None if nothing does.
    has_corpus
        Whether the file says of what corpus a recording is; if not, it is "".
    recordings
        In the order in which their rows lie.
    recording : (n,) int32
        Index into ``recordings``, ascending.
    epoch : (n,) int32
    label, prediction, label_2 : (n,) int64
        Stages, -1 where there is no valid answer or no second scorer.
    probabilities : (n, 5) float64 or None
        NaN where an epoch has none; None if none has any.
    """

    path: Path
    source: Mapping[str, Any] | None
    has_corpus: bool
    has_subject: bool
    recordings: tuple[RecordingKey, ...]
    recording: npt.NDArray[np.int32]
    epoch: npt.NDArray[np.int32]
    label: npt.NDArray[np.int64]
    prediction: npt.NDArray[np.int64]
    label_2: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.label)

    def parts(self) -> Iterator[tuple[RecordingKey, slice]]:
        """Each recording and where its rows lie."""
        ends = np.searchsorted(self.recording, np.arange(len(self.recordings)), side="right")
        yield from zip(self.recordings, _slices(ends), strict=True)

    def nights(self) -> Iterator[Night]:
        """Each recording by itself, in the order of ``recordings``."""
        for _, rows in self.parts():
            probabilities = None if self.probabilities is None else self.probabilities[rows]
            yield Night(self.epoch[rows], self.label[rows], self.prediction[rows], probabilities)

    def subjects(self) -> dict[SubjectKey, slice]:
        """Each subject and where the rows of all their recordings lie."""
        found: dict[SubjectKey, slice] = {}
        for key, rows in self.parts():
            subject = SubjectKey(key.corpus, key.subject)
            found[subject] = slice(found.get(subject, rows).start, rows.stop)
        return found


def confusions(
    groups: Mapping[SubjectKey, slice],
    labels: npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    where: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """A confusion table a group of rows, (n_groups, 5, 6); of the rows ``where`` only, if given."""
    kept = np.ones(len(labels), np.bool_) if where is None else where
    return np.array(
        [metrics.confusion(labels[s][kept[s]], others[s][kept[s]]) for s in groups.values()]
    )


def read(path: Path) -> Epochs:
    """Read a file of predictions, of ours or anybody's.

    Raises
    ------
    BuildError
        If it can't be read, lacks a column or any row or prediction; has an epoch twice, a stage
        that is none of the five, an epoch number that is none; or a recording of two subjects.
    """
    table = table_files.read(path, LENIENT)
    has_corpus, has_subject = (name in table.column_names for name in ("corpus", "subject"))
    whole = _completed(table, path)
    _check_stages(whole, path)
    _check_epochs(whole, path)
    whole = predictions.checked(whole, path).table.sort_by([(name, "ascending") for name in ORDER])
    found = Predictions(whole.combine_chunks())
    recordings, recording = _recordings(found.table, path)
    return Epochs(
        path=path,
        source=_source(path),
        has_corpus=has_corpus,
        has_subject=has_subject,
        recordings=recordings,
        recording=recording,
        epoch=found.table["epoch"].to_numpy(),
        label=found.labels,
        prediction=found.predictions,
        label_2=found.labels_2,
        probabilities=found.probabilities,
    )


def _completed(table: pa.Table, path: Path) -> pa.Table:
    """The table in our types, with the columns that a plain one may lack."""
    if missing := [name for name in NEEDED if name not in table.column_names]:
        there = ", ".join(table.column_names[:12]) or "no column we know"
        remedy = f"give at least {', '.join(NEEDED)}"
        if len(table.column_names) == 1 and (other := re.search("[;\t]", there)):
            remedy = f"part the columns by commas, not by {other[0]!r}"
        raise BuildError(f"{path}: no column {missing[0]!r} (found: {there}); {remedy}")
    if not len(table):
        raise BuildError(f"{path} has no rows; give predictions of at least one epoch")
    whole = predictions.typed(table, path)
    if "corpus" not in table.column_names:
        place = whole.column_names.index("corpus")
        whole = whole.set_column(place, "corpus", pa.array([""] * len(table)))
    if "subject" not in table.column_names:
        place = whole.column_names.index("subject")
        whole = whole.set_column(place, "subject", whole["recording"])
    return whole


def _check_stages(table: pa.Table, path: Path) -> None:
    """Refuse words that are none of the five stages, and say what to write."""
    for name in ("label", "label_2", "prediction"):
        known = pc.or_kleene(
            pc.is_null(table[name]), pc.is_in(table[name], value_set=pa.array(STAGE_NAMES))
        )
        other = table[name].filter(pc.invert(known))
        if not len(other):
            continue
        word = other[0].as_py()
        n, row = pc.sum(pc.equal(other, word)).as_py(), pc.index(known, False).as_py() + 1
        stage = MEANT.get(word.strip().upper())
        remedy = f"write {stage}" if stage else f"stages are {', '.join(STAGE_NAMES)}"
        if not stage and name == "prediction":
            remedy += "; leave the field empty where there is no valid answer"
        elif not stage:
            remedy += "; leave out epochs that were not scored"
        raise BuildError(
            f"{path}: {counted(n, 'epoch')} {'has' if n == 1 else 'have'} the {name} {word!r} "
            f"(first row {row}); {remedy}"
        )
    answered = pc.or_(pc.is_valid(table["prediction"]), pc.is_valid(table["raw"]))
    if not pc.any(answered).as_py():
        raise BuildError(f"{path} has no prediction in any of {len(table)} epochs; give some")


def _check_epochs(table: pa.Table, path: Path) -> None:
    """Refuse numbers that can't be those of epochs."""
    column = table["epoch"]
    wrong = pc.fill_null(pc.or_(pc.less(column, 0), pc.greater(column, LAST_EPOCH)), False)
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise BuildError(
            f"{path}: row {row + 1} ({table['recording'][row]}) has the epoch {column[row]}; "
            "number the epochs of a recording from its start"
        )


def _recordings(
    table: pa.Table, path: Path
) -> tuple[tuple[RecordingKey, ...], npt.NDArray[np.int32]]:
    """Recordings of a sorted table, and which each row is of."""
    starts = np.zeros(len(table), np.bool_)
    starts[0] = True
    for name in RecordingKey._fields:
        codes = pc.dictionary_encode(table[name]).combine_chunks().indices.to_numpy()
        starts[1:] |= np.diff(codes) != 0
    first = table.select(RecordingKey._fields).take(pa.array(np.flatnonzero(starts)))
    found = tuple(RecordingKey(**row) for row in first.to_pylist())
    subjects: dict[tuple[str, str], str] = {}
    for key in found:
        other = subjects.setdefault((key.corpus, key.recording), key.subject)
        if other != key.subject:
            raise BuildError(
                f"{path}: recording {key.recording} is of two subjects, {other} and {key.subject}; "
                "give every recording a name of its own"
            )
    return found, np.cumsum(starts, dtype=np.int32) - np.int32(1)


def _source(path: Path) -> Mapping[str, Any] | None:
    """What the tool that made the predictions says of them, beside the file."""
    beside = path.with_name(f"{path.name}.json")
    try:
        values = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise BuildError(f"{beside} is damaged ({said}); mend or remove it") from error
    return values if isinstance(values, dict) else None


def _slices(ends: npt.NDArray[np.integer]) -> Iterator[slice]:
    start = 0
    for end in ends.tolist():
        yield slice(start, end)
        start = end
