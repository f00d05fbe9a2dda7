"""Predictions file: read leniently, as any tool may write it, with errors that name the fix.

Accepted are predictions files of psgimg, and any table with the columns ``recording``, ``epoch``,
``label`` and ``prediction``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from psgimg.finetune.evaluation.epochs import LAST_EPOCH, Epochs
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import predictions, table_files
from psgimg.finetune.metrics.predictions import SCHEMA, Predictions

NEEDED = ("recording", "epoch", "label", "prediction")
ORDER = ("corpus", "subject", "recording", "epoch")
# Some tools write whole numbers as 1.0, which an integer column would refuse.
LENIENT = SCHEMA.set(SCHEMA.get_field_index("epoch"), pa.field("epoch", pa.float64()))


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
    data = of_table(table_files.read(path, LENIENT), path, codes)
    return replace(data, source=_source(path))


def of_table(table: pa.Table, path: Path, codes: Codes | None = None) -> Epochs:
    """Return the epochs of a table as of the file ``path``, by the rules of :func:`read`; no source."""
    has_corpus, has_subject = (name in table.column_names for name in ("corpus", "subject"))
    table, renamed = stage_words.read(table, codes or {})
    table = _completed(table, path)
    _check_stages(table, path)
    _check_epochs(table, path)
    table = predictions.checked(table, path).table.sort_by([(name, "ascending") for name in ORDER])
    ordered = Predictions(table.combine_chunks())
    recordings, recording = _recordings(ordered.table, path)
    return Epochs(
        path=path,
        source=None,
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
        votes=ordered.votes,
        renamed=renamed,
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
    for name in predictions.STAGE_COLUMNS:
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
