"""Predictions: what a model, ours or anybody's, said of epochs. One row an epoch, in one file.

Columns: ``corpus``, ``subject``, ``recording``, ``epoch``, ``label``, ``prediction`` (a stage, or
null or empty where no valid answer came); and where there are any ``label_2`` (a second scorer's
stage), ``raw`` (the answer's text), ``p_W``, ``p_N1``, ``p_N2``, ``p_N3``, ``p_REM``, and
``log_mass`` (logarithm of what the model gave the five answers together). Parquet, CSV or JSON
lines, by the name's suffix. Other columns are nobody's business and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import table_files

KEYS = ("corpus", "subject", "recording", "epoch")
PROBABILITIES = tuple(f"p_{stage}" for stage in STAGE_NAMES)
REQUIRED = (*KEYS, "label", "prediction")

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("corpus", "subject", "recording")),
        ("epoch", pa.int32()),
        *((name, pa.string()) for name in ("label", "label_2", "prediction", "raw")),
        *((name, pa.float64()) for name in (*PROBABILITIES, "log_mass")),
    ]
)

SUM_TOLERANCE = 3e-3
"""How far the probabilities of an epoch may be from adding up to 1: some round to three digits."""


@dataclass(frozen=True)
class Answer:
    """What a model said of one page.

    Parameters
    ----------
    prediction
        A stage, or None where there was no valid answer.
    raw
        The text it said; None where nothing was said.
    probabilities
        Of the five stages in their order; they add up to 1.
    log_mass
        Logarithm of what the model gave the five answers together.
    """

    prediction: str | None
    raw: str | None = None
    probabilities: tuple[float, ...] | None = None
    log_mass: float | None = None

    def columns(self) -> dict[str, Any]:
        """Its columns in a row of predictions."""
        values = self.probabilities or (None,) * len(PROBABILITIES)
        return {
            "prediction": self.prediction,
            "raw": self.raw,
            **dict(zip(PROBABILITIES, values, strict=True)),
            "log_mass": self.log_mass,
        }


@dataclass(frozen=True)
class Predictions:
    """Predictions as they lie in a file, in its order.

    Parameters
    ----------
    table
        The columns of ``SCHEMA``, nulls where there is nothing; no two rows of the same epoch.
    """

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) the reference scorer's stages."""
        return _stages(self.table["label"])

    @property
    def labels_2(self) -> npt.NDArray[np.int64]:
        """(n,) a second scorer's stages, -1 where there is none."""
        return _stages(self.table["label_2"])

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """(n,) predicted stages, -1 where there was no valid answer."""
        return _stages(self.table["prediction"])

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """(n, 5) in the order of the stages, NaN where an epoch has none; None if none has any."""
        columns = [self.table[name].to_numpy() for name in PROBABILITIES]
        values = np.stack(columns, axis=1).astype(np.float64)
        return None if np.isnan(values).all() else values

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Predictions:
        """Predictions of rows with some or all columns of ``SCHEMA``."""
        return cls(pa.Table.from_pylist(list(rows), schema=SCHEMA))


def read(path: Path) -> Predictions:
    """Read a file of predictions.

    Raises
    ------
    BuildError
        If it can't be read, a column is missing or of another kind, a stage is none of the five,
        an epoch comes twice, or probabilities are not five that add up to 1.
    """
    table = table_files.read(path, SCHEMA)
    if missing := [name for name in REQUIRED if name not in table.column_names]:
        raise BuildError(
            f"{path}: no column {missing[0]!r}; predictions have {', '.join(REQUIRED)}"
        )
    return checked(typed(table, path), path)


def write(path: Path, predictions: Predictions) -> None:
    """Write a file of predictions, whole or not at all; the same rows give the same bytes.

    Raises
    ------
    BuildError
        If they would not be read again, the suffix is unknown or the file can't be written.
    """
    whole = checked(predictions.table, table_files.checked(path)).table
    with atomic_file.whole(path) as temporary:
        table_files.write(temporary, whole, path.suffix)


def checked(table: pa.Table, path: Path) -> Predictions:
    """Predictions of a table with the columns of ``SCHEMA``, once all rules hold."""
    for name in ("recording", "subject", "corpus", "epoch", "label"):
        if table[name].null_count:
            remedy = "leave out epochs that were not scored" if name == "label" else "fill it in"
            raise BuildError(
                f"{path}: {_where(table, pc.is_null(table[name]))} has no {name}; {remedy}"
            )
    for name in ("label", "label_2", "prediction"):
        known = pc.or_(pc.is_in(table[name], pa.array(STAGE_NAMES)), pc.is_null(table[name]))
        if not pc.all(known, min_count=0).as_py():
            wrong = table[name].filter(pc.invert(known))[0].as_py()
            raise BuildError(
                f"{path}: {_where(table, pc.invert(known))} has the {name} {wrong!r}; "
                f"stages are {', '.join(STAGE_NAMES)}"
            )
    _check_once(table, path)
    _check_probabilities(table, path)
    return Predictions(table)


def _check_once(table: pa.Table, path: Path) -> None:
    counts = table.group_by(["corpus", "recording", "epoch"]).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))
    if len(twice):
        raise BuildError(
            f"{path}: {_named(twice, 0)} is there {twice['count_all'][0].as_py()} times; keep one "
            "prediction an epoch"
        )


def _check_probabilities(table: pa.Table, path: Path) -> None:
    values = np.stack([table[name].to_numpy() for name in PROBABILITIES], axis=1).astype(float)
    there = ~np.isnan(values)
    some = there.any(axis=1)
    total = np.where(there, values, 0.0)
    wrong = some & (
        ~there.all(axis=1)
        | (total < 0).any(axis=1)
        | (np.abs(total.sum(axis=1) - 1) > SUM_TOLERANCE)
    )
    if wrong.any():
        raise BuildError(
            f"{path}: {_where(table, pa.array(wrong))} has {', '.join(PROBABILITIES)} of "
            f"{values[wrong][0].tolist()}; give five probabilities that add up to 1, or none"
        )


def _where(table: pa.Table, wrong: Any) -> str:
    """The first row for which something holds, as a reader finds it."""
    i = pc.index(wrong, True).as_py()
    return f"row {i + 1} ({_named(table, i)})"


def _named(table: pa.Table, i: int) -> str:
    """An epoch by what is known of it."""
    names = (table[name][i].as_py() for name in ("corpus", "recording"))
    return " ".join([*filter(None, names), f"epoch {table['epoch'][i].as_py()}"])


def typed(table: pa.Table, path: Path) -> pa.Table:
    """The columns of ``SCHEMA`` in its types; empty texts of no stage and NaN become null.

    Raises
    ------
    BuildError
        If a column is of another kind.
    """
    columns = []
    for field in SCHEMA:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table[field.name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(field.type) and not _is_text(column.type):
            raise BuildError(f"{path}: column {field.name!r} is {column.type}; make it text")
        try:
            column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            said = " ".join(str(error).split())
            raise BuildError(f"{path}: column {field.name!r}: {said}; mend the values") from error
        if field.name in ("label_2", "prediction"):
            column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
        if pa.types.is_floating(field.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        columns.append(column)
    return pa.table(columns, schema=SCHEMA)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _stages(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    found = pc.index_in(column, value_set=pa.array(STAGE_NAMES))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)
