"""Predictions file: read leniently, as any tool may write it, with errors that name the fix.

Accepted are predictions files of psgimg, and any table with the columns ``recording``, ``epoch``,
``label`` and ``prediction``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import counted
from psgimg.finetune.data.page_index import RecordingKey
from psgimg.finetune.evaluation import epoch_lengths, stage_words
from psgimg.finetune.evaluation.epochs import LAST_EPOCH, Epochs, Pages
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import prediction_checks, predictions, table_files, vote_counts
from psgimg.finetune.metrics.metrics import NO_ANSWER
from psgimg.finetune.metrics.predictions import (
    PAGE_PREDICTION,
    PAGE_PROBABILITIES,
    PROBABILITIES,
    SCHEMA,
    SEQUENCE,
    STAGE_COLUMNS,
)

Scalar = TypeVar("Scalar", bound=np.generic)

FRACTIONS = (*PROBABILITIES, *PAGE_PROBABILITIES)
NEEDED = ("recording", "epoch", "label", "prediction")
LEFT_ALONE = ("log_mass", "fold")
"""Columns that an evaluation does not need, and does not read."""

# Some tools write whole numbers as 1.0, which an integer column would refuse.
LENIENT = SCHEMA.set(SCHEMA.get_field_index("epoch"), pa.field("epoch", pa.float64()))
# Of millions of epochs, texts are dictionaries: the names of nights would fill the memory.
EVALUATED = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string()))
        if pa.types.is_string(field.type)
        else field
        for field in SCHEMA
        if field.name not in LEFT_ALONE
    ]
)
READ = pa.schema([field for field in LENIENT if field.name not in LEFT_ALONE])


def read(path: Path, codes: Codes | None = None) -> Epochs:
    """Read a predictions file, written by psgimg or any other tool.

    Parameters
    ----------
    codes
        What numbers and words of the file stand for, beside the usual names of stages.

    Raises
    ------
    BuildError
        If the file can't be read, lacks a required column, has no rows or no predictions, has an
        epoch twice, an unknown stage or an invalid epoch number, or assigns a recording to two
        subjects.
    """
    data = of_table(table_files.read(path, READ), path, codes)
    return replace(data, source=_source(path))


def of_table(table: pa.Table, path: Path, codes: Codes | None = None) -> Epochs:
    """Return the epochs of a table as of the file ``path``, by the rules of :func:`read`; no source."""
    has_corpus, has_subject = (name in table.column_names for name in ("corpus", "subject"))
    table, renamed = stage_words.read(table, codes or {})
    table = _completed(table, path)
    _check_stages(table, path)
    _check_epochs(table, path)
    predictions.checked(table, path)
    recordings, recording, order = _recordings(table, path)
    epochs_s = np.full(len(recordings), np.nan)
    if "epoch_s" in table.column_names:
        epochs_s = epoch_lengths.stated(table["epoch_s"], recordings, recording, path)
    unseen = _unseen(table)
    votes = vote_counts.array(table["votes"]) if "votes" in table.column_names else None

    def ordered(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        return values if order is None else values[order]

    stages = {name: ordered(_stages(table, name)) for name in STAGE_COLUMNS}
    epoch = ordered(table["epoch"].to_numpy())
    table = _only(table, FRACTIONS)
    odds = _five(table, PROBABILITIES)
    table = _only(table, PAGE_PROBABILITIES)
    page_odds = _five(table, PAGE_PROBABILITIES)
    pages = None
    if page_odds is not None:
        pages = Pages(stages[PAGE_PREDICTION], ordered(page_odds), stages[SEQUENCE])
    return Epochs(
        path=path,
        source=None,
        has_corpus=has_corpus,
        has_subject=has_subject,
        recordings=recordings,
        recording=ordered(recording),
        epoch=epoch,
        label=stages["label"],
        prediction=stages["prediction"],
        label_2=stages["label_2"],
        probabilities=None if odds is None else ordered(odds),
        epochs_s=epochs_s,
        unseen_lanes=unseen,
        votes=None if votes is None else ordered(votes),
        renamed=renamed,
        pages=pages,
    )


def _only(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return some columns of a table, after the memory of the others was given back."""
    table = table.select([name for name in names if name in table.column_names])
    # NumPy can't use what Arrow keeps for itself.
    pa.default_memory_pool().release_unused()
    return table


def _stages(table: pa.Table, name: str) -> npt.NDArray[np.int8]:
    """Return (n,) the stages of a column, -1 where there is none."""
    if name not in table.column_names:
        return np.full(len(table), NO_ANSWER, np.int8)
    return predictions.stage_codes(table[name])


def _five(table: pa.Table, names: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Return (n, 5) probabilities, NaN where one is missing; None if there are none."""
    return predictions.five(table, names) if names[0] in table.column_names else None


def _unseen(table: pa.Table) -> dict[str, int]:
    """Count the epochs by the lanes absent as on no training page, the most frequent first."""
    if "unseen_lanes" not in table.column_names:
        return {}
    counts = pc.value_counts(table["unseen_lanes"].drop_null()).to_pylist()
    return {one["values"]: one["counts"] for one in sorted(counts, key=lambda one: -one["counts"])}


def _completed(table: pa.Table, path: Path) -> pa.Table:
    """Return the columns in psgimg's types, with ``corpus`` and ``subject`` filled in if absent."""
    if missing := [name for name in NEEDED if name not in table.column_names]:
        present = ", ".join(table.column_names[:12]) or "no known column"
        remedy = f"give at least {', '.join(NEEDED)}"
        if len(table.column_names) == 1 and (other := re.search("[;\t]", present)):
            remedy = f"separate the columns by commas, not by {other[0]!r}"
        raise BuildError(f"{path}: no column {missing[0]!r} (found: {present}); {remedy}")
    if not len(table):
        raise BuildError(f"{path} has no rows; give predictions of at least one epoch")
    there = [field for field in EVALUATED if _has(table, field.name)]
    whole = predictions.typed(table, path, pa.schema(there))
    if "corpus" not in table.column_names:
        nowhere = pa.array(np.zeros(len(table), np.int32))
        unnamed = pa.DictionaryArray.from_arrays(nowhere, pa.array([""]))
        whole = whole.append_column("corpus", unnamed)
    if "subject" not in table.column_names:
        whole = whole.append_column("subject", whole["recording"])
    return whole


def _has(table: pa.Table, name: str) -> bool:
    """Whether a table has a column, or some of the five that belong together."""
    five = next((names for names in (PROBABILITIES, PAGE_PROBABILITIES) if name in names), (name,))
    return any(one in table.column_names for one in five)


def _check_stages(table: pa.Table, path: Path) -> None:
    """Refuse unknown stage names, with the name to use instead."""
    for name in STAGE_COLUMNS:
        if name not in table.column_names:
            continue
        valid = pc.or_kleene(
            pc.is_null(table[name]), pc.is_in(table[name], value_set=pa.array(STAGE_NAMES))
        )
        other = table[name].filter(pc.invert(valid))
        if not len(other):
            continue
        word = other[0].as_py()
        n, row = pc.sum(pc.equal(other, word)).as_py(), pc.index(valid, False).as_py() + 1
        remedy = f"stages are {', '.join(STAGE_NAMES)}"
        if re.fullmatch(r"-?\d+", word.strip()):
            remedy = f"give the stages of numbers, such as --codes {stage_words.EXAMPLE}"
        elif name == "prediction":
            remedy += "; leave the field empty if there is no valid answer"
        else:
            remedy += "; leave out unscored epochs"
        raise BuildError(
            f"{path}: {counted(n, 'epoch')} {'has' if n == 1 else 'have'} the {name} {word!r} "
            f"(first row {row}); {remedy}"
        )
    answers = [table[name] for name in ("prediction", "raw") if name in table.column_names]
    if all(column.null_count == len(table) for column in answers):
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
) -> tuple[tuple[RecordingKey, ...], npt.NDArray[np.int32], npt.NDArray[np.int64] | None]:
    """Return the recordings, the index of each row's, and the order of the rows; None if they are in order."""
    keys = prediction_checks.numbered(table, RecordingKey._fields)
    order = None if (np.diff(keys) > 0).all() else np.argsort(keys)
    del keys
    starts = np.zeros(len(table), np.bool_)
    starts[0] = True
    for name in RecordingKey._fields:
        codes = pc.dictionary_encode(table[name]).combine_chunks().indices.to_numpy()
        starts[1:] |= np.diff(codes if order is None else codes[order]) != 0
    at = np.flatnonzero(starts)
    first = table.select(RecordingKey._fields).take(pa.array(at if order is None else order[at]))
    recordings = tuple(RecordingKey(**row) for row in first.to_pylist())
    subjects: dict[tuple[str, str], str] = {}
    for key in recordings:
        other = subjects.setdefault((key.corpus, key.recording), key.subject)
        if other != key.subject:
            raise BuildError(
                f"{path}: recording {key.recording} has two subjects, {other} and {key.subject}; "
                "give each recording a unique name"
            )
    recording = np.cumsum(starts, dtype=np.int32) - np.int32(1)
    if order is None:
        return recordings, recording, None
    of_row = np.empty_like(recording)
    of_row[order] = recording
    return recordings, of_row, order


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
