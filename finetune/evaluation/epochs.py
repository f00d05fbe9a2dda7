"""Epochs: a predictions file as arrays sorted by recording, validated with errors that name the fix.

Accepted are predictions files of psgimg, and any table with the columns ``recording``, ``epoch``,
``label`` and ``prediction``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import counted
from psgimg.finetune.data.page_index import RecordingKey
from psgimg.finetune.evaluation import epoch_lengths
from psgimg.finetune.metrics import metrics, predictions, table_files
from psgimg.finetune.metrics.predictions import SCHEMA, Predictions

NEEDED = ("recording", "epoch", "label", "prediction")
ORDER = ("corpus", "subject", "recording", "epoch")
LAST_EPOCH = 100_000
"""Upper bound of epoch numbers; larger ones are seconds, samples or dates."""

# Some tools write whole numbers as 1.0, which an integer column would refuse.
LENIENT = SCHEMA.set(SCHEMA.get_field_index("epoch"), pa.field("epoch", pa.float64()))

SYNONYMS = {
    "WAKE": "W",
    "SLEEP STAGE W": "W",
    **{f"{word}{i}": f"N{i}" for word in ("S", "NREM", "SLEEP STAGE ") for i in (1, 2, 3)},
    **dict.fromkeys(("S4", "N4", "NREM4", "SLEEP STAGE 4"), "N3"),
    **dict.fromkeys(("R", "SLEEP STAGE R"), "REM"),
    **dict(zip(STAGE_NAMES, STAGE_NAMES, strict=True)),
}
"""Stage names of other tools, in capitals. Suggested in error messages, never converted silently."""


class SubjectKey(NamedTuple):
    """Identifies a subject: its corpus and its name within that corpus."""

    corpus: str
    subject: str


@dataclass(frozen=True, eq=False)
class Night:
    """The epochs of one recording in ascending order; see :class:`Epochs` for the fields."""

    epochs: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64] | None
    epoch_s: float


@dataclass(frozen=True, eq=False)
class Epochs:
    """Epochs of a file, sorted by corpus, subject, recording and epoch.

    Parameters
    ----------
    path
        The predictions file.
    source
        Contents of FILE.json beside the file; None if it does not exist.
    has_corpus
        Whether the file has a column ``corpus``; if not, every corpus is "".
    has_subject
        Whether the file has a column ``subject``; if not, each recording is a subject.
    recordings
        Recordings in the order of their rows.
    recording : (n,) int32
        Index into ``recordings``, ascending.
    epoch : (n,) int32
        Epoch number within the recording.
    label, prediction, label_2 : (n,) int64
        Stages, -1 without a valid answer or a second scorer.
    probabilities : (n, 5) float64 or None
        NaN where an epoch has none; None if no epoch has any.
    epochs_s : (n_recordings,) float64
        Length of the epochs of each recording in seconds; NaN where the file does not state it.
    unseen_lanes
        Absent lanes, as on no training page of the model → number of epochs.
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
    epochs_s: npt.NDArray[np.float64]
    unseen_lanes: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def parts(self) -> Iterator[tuple[RecordingKey, slice]]:
        """Yield each recording with the slice of its rows."""
        ends = np.searchsorted(self.recording, np.arange(len(self.recordings)), side="right")
        yield from zip(self.recordings, _slices(ends), strict=True)

    def nights(self) -> Iterator[Night]:
        """Yield the epochs of each recording, in the order of ``recordings``."""
        lengths_s = epoch_lengths.assumed(self.epochs_s).tolist()
        for (_, rows), epoch_s in zip(self.parts(), lengths_s, strict=True):
            odds = None if self.probabilities is None else self.probabilities[rows]
            stages = (self.label[rows], self.prediction[rows])
            yield Night(self.epoch[rows], *stages, odds, epoch_s)

    def subjects(self) -> dict[SubjectKey, slice]:
        """Return each subject with the slice of the rows of all its recordings."""
        slices: dict[SubjectKey, slice] = {}
        for key, rows in self.parts():
            subject = SubjectKey(key.corpus, key.subject)
            slices[subject] = slice(slices.get(subject, rows).start, rows.stop)
        return slices


def confusions(
    groups: Mapping[SubjectKey, slice],
    labels: npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    where: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """Return one confusion table per group of rows.

    Parameters
    ----------
    groups
        Subject → slice of its rows.
    labels, others
        (n,) stages to compare.
    where
        (n,) mask of the rows to count; all if None.

    Returns
    -------
    (n_groups, 5, 6) counts.
    """
    kept = np.ones(len(labels), np.bool_) if where is None else where
    return np.array(
        [metrics.confusion(labels[s][kept[s]], others[s][kept[s]]) for s in groups.values()]
    )


def read(path: Path) -> Epochs:
    """Read a predictions file, written by psgimg or any other tool.

    Raises
    ------
    BuildError
        If the file can't be read, lacks a required column, has no rows or no predictions, has an
        epoch twice, an unknown stage or an invalid epoch number, or assigns a recording to two
        subjects.
    """
    table = table_files.read(path, LENIENT)
    has_corpus, has_subject = (name in table.column_names for name in ("corpus", "subject"))
    table = _completed(table, path)
    _check_stages(table, path)
    _check_epochs(table, path)
    table = predictions.checked(table, path).table.sort_by([(name, "ascending") for name in ORDER])
    ordered = Predictions(table.combine_chunks())
    recordings, recording = _recordings(ordered.table, path)
    return Epochs(
        path=path,
        source=_source(path),
        has_corpus=has_corpus,
        has_subject=has_subject,
        recordings=recordings,
        recording=recording,
        epoch=ordered.table["epoch"].to_numpy(),
        label=ordered.labels,
        prediction=ordered.predictions,
        label_2=ordered.labels_2,
        probabilities=ordered.probabilities,
        epochs_s=epoch_lengths.stated(ordered.table, recordings, recording, path),
        unseen_lanes=_unseen(ordered.table),
    )


def _unseen(table: pa.Table) -> dict[str, int]:
    """Count the epochs by the lanes absent as on no training page, the most frequent first."""
    counts = pc.value_counts(table["unseen_lanes"].drop_null()).to_pylist()
    return {one["values"]: one["counts"] for one in sorted(counts, key=lambda one: -one["counts"])}


def _completed(table: pa.Table, path: Path) -> pa.Table:
    """Return the table in psgimg's types, with ``corpus`` and ``subject`` filled in if absent."""
    if missing := [name for name in NEEDED if name not in table.column_names]:
        present = ", ".join(table.column_names[:12]) or "no known column"
        remedy = f"give at least {', '.join(NEEDED)}"
        if len(table.column_names) == 1 and (other := re.search("[;\t]", present)):
            remedy = f"separate the columns by commas, not by {other[0]!r}"
        raise BuildError(f"{path}: no column {missing[0]!r} (found: {present}); {remedy}")
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
    """Refuse unknown stage names, with the name to use instead."""
    for name in ("label", "label_2", "prediction"):
        valid = pc.or_kleene(
            pc.is_null(table[name]), pc.is_in(table[name], value_set=pa.array(STAGE_NAMES))
        )
        other = table[name].filter(pc.invert(valid))
        if not len(other):
            continue
        word = other[0].as_py()
        n, row = pc.sum(pc.equal(other, word)).as_py(), pc.index(valid, False).as_py() + 1
        stage = SYNONYMS.get(word.strip().upper())
        remedy = f"write {stage}" if stage else f"stages are {', '.join(STAGE_NAMES)}"
        if not stage and name == "prediction":
            remedy += "; leave the field empty if there is no valid answer"
        elif not stage:
            remedy += "; leave out unscored epochs"
        raise BuildError(
            f"{path}: {counted(n, 'epoch')} {'has' if n == 1 else 'have'} the {name} {word!r} "
            f"(first row {row}); {remedy}"
        )
    answered = pc.or_(pc.is_valid(table["prediction"]), pc.is_valid(table["raw"]))
    if not pc.any(answered).as_py():
        raise BuildError(
            f"{path} has no prediction for any of its {len(table)} epochs; fill in column prediction"
        )


def _check_epochs(table: pa.Table, path: Path) -> None:
    """Refuse numbers that can't be epoch numbers."""
    column = table["epoch"]
    wrong = pc.fill_null(pc.or_(pc.less(column, 0), pc.greater(column, LAST_EPOCH)), False)
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise BuildError(
            f"{path}: row {row + 1} ({table['recording'][row]}) has the epoch {column[row]}; "
            "number epochs from the start of each recording"
        )


def _recordings(
    table: pa.Table, path: Path
) -> tuple[tuple[RecordingKey, ...], npt.NDArray[np.int32]]:
    """Return the recordings of a sorted table, and the index of each row's recording."""
    starts = np.zeros(len(table), np.bool_)
    starts[0] = True
    for name in RecordingKey._fields:
        codes = pc.dictionary_encode(table[name]).combine_chunks().indices.to_numpy()
        starts[1:] |= np.diff(codes) != 0
    first = table.select(RecordingKey._fields).take(pa.array(np.flatnonzero(starts)))
    recordings = tuple(RecordingKey(**row) for row in first.to_pylist())
    subjects: dict[tuple[str, str], str] = {}
    for key in recordings:
        other = subjects.setdefault((key.corpus, key.recording), key.subject)
        if other != key.subject:
            raise BuildError(
                f"{path}: recording {key.recording} has two subjects, {other} and {key.subject}; "
                "give each recording a unique name"
            )
    return recordings, np.cumsum(starts, dtype=np.int32) - np.int32(1)


def _source(path: Path) -> Mapping[str, Any] | None:
    """Return the contents of FILE.json, in which psgimg records how predictions were made."""
    beside = path.with_name(f"{path.name}.json")
    try:
        values = bounded.read_json(beside)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BuildError(f"{beside} is damaged ({reason}); fix or remove it") from error
    return values if isinstance(values, dict) else None


def _slices(ends: npt.NDArray[np.integer]) -> Iterator[slice]:
    return map(slice, [0, *ends.tolist()[:-1]], ends.tolist())
