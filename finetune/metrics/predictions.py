"""Predictions: the file of predicted stages, one row per epoch, written by psgimg or any other tool.

Columns: ``corpus``, ``subject``, ``recording``, ``epoch``, ``label`` and ``prediction`` (a stage, or
null or empty without a valid answer). Optional: ``label_2`` (a second scorer's stage), ``raw`` (the
text of the answer), ``p_W``, ``p_N1``, ``p_N2``, ``p_N3``, ``p_REM``, ``log_mass`` (log of the
total probability of the five answers), ``fold`` (of a cross-validation, from 0), ``epoch_s``
(length of the epochs in seconds, the same in a whole recording), ``unseen_lanes`` (the page's absent
lanes, if the model was never shown a page without just these; else null) and ``votes`` (how many scorers
chose W, N1, N2, N3 and REM: ``0 1 4 0 0``). Parquet, CSV or JSON lines, by
the file's suffix. Any other column is ignored.
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
from psgimg.finetune.metrics import table_files, vote_counts

KEYS = ("corpus", "subject", "recording", "epoch")
PROBABILITIES = tuple(f"p_{stage}" for stage in STAGE_NAMES)
REQUIRED = (*KEYS, "label", "prediction")

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("corpus", "subject", "recording")),
        ("epoch", pa.int32()),
        *((name, pa.string()) for name in ("label", "label_2", "prediction", "raw")),
        *((name, pa.float64()) for name in (*PROBABILITIES, "log_mass", "epoch_s")),
        ("fold", pa.int32()),
        ("unseen_lanes", pa.string()),
        ("votes", pa.string()),
    ]
)

STAGE_COLUMNS = ("label", "label_2", "prediction")

SUM_TOLERANCE = 3e-3
"""Allowed deviation of an epoch's summed probabilities from 1: some tools round to three digits."""


@dataclass(frozen=True)
class Answer:
    """A model's answer for one page.

    Parameters
    ----------
    prediction
        A stage, or None without a valid answer.
    raw
        Text that the model generated; None if the answers were scored instead.
    probabilities
        Probabilities of the five stages in their order; they sum to 1.
    log_mass
        Log of the total probability of the five answers.
    """

    prediction: str | None
    raw: str | None = None
    probabilities: tuple[float, ...] | None = None
    log_mass: float | None = None

    def columns(self) -> dict[str, Any]:
        """Return the answer as columns of a row of predictions."""
        values = self.probabilities or (None,) * len(PROBABILITIES)
        return {
            "prediction": self.prediction,
            "raw": self.raw,
            **dict(zip(PROBABILITIES, values, strict=True)),
            "log_mass": self.log_mass,
        }


@dataclass(frozen=True)
class Predictions:
    """Predictions in the order of their file.

    Parameters
    ----------
    table
        The columns of ``SCHEMA``, null where a value is missing; at most one row per epoch.
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
        """(n,) a second scorer's stages, -1 where missing."""
        return _stages(self.table["label_2"])

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """(n,) predicted stages, -1 without a valid answer."""
        return _stages(self.table["prediction"])

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """(n, 5) stage probabilities, NaN where an epoch has none; None if no epoch has any."""
        columns = [self.table[name].to_numpy() for name in PROBABILITIES]
        values = np.stack(columns, axis=1).astype(np.float64)
        return None if np.isnan(values).all() else values

    @property
    def votes(self) -> npt.NDArray[np.int64] | None:
        """(n, 5) numbers of scorers for each stage, 0 where an epoch has none; None if all have none."""
        return vote_counts.array(self.table["votes"])

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Predictions:
        """Return predictions from rows with some or all columns of ``SCHEMA``."""
        return cls(pa.Table.from_pylist(list(rows), schema=SCHEMA))


def read(path: Path) -> Predictions:
    """Read a predictions file.

    Raises
    ------
    BuildError
        If the file can't be read, a column is missing or of the wrong type, a stage is not one of
        the five, an epoch occurs twice, or an epoch's probabilities are incomplete or do not sum to 1.
    """
    table = table_files.read(path, SCHEMA)
    if missing := [name for name in REQUIRED if name not in table.column_names]:
        raise BuildError(
            f"{path}: no column {missing[0]!r}; predictions need {', '.join(REQUIRED)}"
        )
    return checked(typed(table, path), path)


def write(path: Path, predictions: Predictions) -> None:
    """Write a predictions file atomically; the same rows give the same bytes.

    Raises
    ------
    BuildError
        If the predictions are invalid, the suffix is unknown or the file can't be written.
    """
    whole = checked(predictions.table, table_files.checked(path)).table
    with atomic_file.whole(path) as temporary:
        table_files.write(temporary, whole, path.suffix)


def checked(table: pa.Table, path: Path) -> Predictions:
    """Validate a table with the columns of ``SCHEMA`` and return it as predictions.

    Raises
    ------
    BuildError
        If a required value is missing, a stage is unknown, an epoch occurs twice or probabilities
        are invalid.
    """
    for name in ("recording", "subject", "corpus", "epoch", "label"):
        if table[name].null_count:
            remedy = "leave out unscored epochs" if name == "label" else "fill it in"
            raise BuildError(
                f"{path}: {_where(table, pc.is_null(table[name]))} has no {name}; {remedy}"
            )
    for name in STAGE_COLUMNS:
        valid = pc.or_(pc.is_in(table[name], pa.array(STAGE_NAMES)), pc.is_null(table[name]))
        if not pc.all(valid, min_count=0).as_py():
            wrong = table[name].filter(pc.invert(valid))[0].as_py()
            raise BuildError(
                f"{path}: {_where(table, pc.invert(valid))} has the {name} {wrong!r}; "
                f"stages are {', '.join(STAGE_NAMES)}"
            )
    _check_once(table, path)
    _check_votes(table, path)
    _check_probabilities(table, path)
    return Predictions(table)


def _check_once(table: pa.Table, path: Path) -> None:
    counts = table.group_by(["corpus", "recording", "epoch"]).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))
    if len(twice):
        raise BuildError(
            f"{path}: {_named(twice, 0)} occurs {twice['count_all'][0].as_py()} times; keep one "
            "prediction per epoch"
        )


def _check_votes(table: pa.Table, path: Path) -> None:
    if (text := vote_counts.invalid(table["votes"])) is not None:
        where = _where(table, pc.fill_null(pc.equal(table["votes"], text), False))
        raise BuildError(
            f"{path}: {where} has the votes {text!r}; give the number of scorers for "
            f"{', '.join(STAGE_NAMES)}, such as {vote_counts.EXAMPLE!r}"
        )


def _check_probabilities(table: pa.Table, path: Path) -> None:
    values = np.stack([table[name].to_numpy() for name in PROBABILITIES], axis=1).astype(float)
    present = ~np.isnan(values)
    some = present.any(axis=1)
    total = np.where(present, values, 0.0)
    wrong = some & (
        ~present.all(axis=1)
        | (total < 0).any(axis=1)
        | (np.abs(total.sum(axis=1) - 1) > SUM_TOLERANCE)
    )
    if wrong.any():
        raise BuildError(
            f"{path}: {_where(table, pa.array(wrong))} has {', '.join(PROBABILITIES)} of "
            f"{values[wrong][0].tolist()}; give five probabilities that sum to 1, or none"
        )


def _where(table: pa.Table, wrong: Any) -> str:
    """Describe the first row at which a mask is true, for a message."""
    i = pc.index(wrong, True).as_py()
    return f"row {i + 1} ({_named(table, i)})"


def _named(table: pa.Table, i: int) -> str:
    """Name an epoch by its corpus, recording and number, as far as these are present."""
    names = (table[name][i].as_py() for name in ("corpus", "recording"))
    return " ".join([*filter(None, names), f"epoch {table['epoch'][i].as_py()}"])


def typed(table: pa.Table, path: Path) -> pa.Table:
    """Return the columns of ``SCHEMA`` in its types; empty optional stages and NaN become null.

    Raises
    ------
    BuildError
        If a column has the wrong type.
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
            remedy = "make it text"
            if field.name in STAGE_COLUMNS:
                remedy += ", or give `psgimg evaluate` the stages of its numbers with --codes"
            raise BuildError(f"{path}: column {field.name!r} is {column.type}; {remedy}")
        try:
            column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            message = " ".join(str(error).split())
            raise BuildError(f"{path}: column {field.name!r}: {message}; fix the values") from error
        if field.name in ("label_2", "prediction", "votes"):
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
    codes = pc.index_in(column, value_set=pa.array(STAGE_NAMES))
    return np.asarray(pc.fill_null(codes, -1).to_numpy(), np.int64)
