"""Predictions: the file of predicted stages, one row per epoch, written by psgimg or any other tool.

Columns: ``corpus``, ``subject``, ``recording``, ``epoch``, ``label`` and ``prediction`` (a stage, or
null or empty without a valid answer). Optional: ``label_2`` (a second scorer's stage), ``raw`` (the
text of the answer), ``p_W``, ``p_N1``, ``p_N2``, ``p_N3``, ``p_REM``, ``log_mass`` (log of the
total probability of the five answers), ``fold`` (of a cross-validation, from 0), ``epoch_s``
(length of the epochs in seconds, the same in a whole recording), ``unseen_lanes`` (the page's absent
lanes, if the model was never shown a page without just these; else null) and ``votes`` (how many scorers
chose W, N1, N2, N3 and REM: ``0 1 4 0 0``). Where a night was decoded as a whole, ``prediction`` and the
probabilities are the decoded ones; ``page_prediction``, ``page_p_W`` … ``page_p_REM`` those of each page by
itself, and ``sequence`` the likeliest sequence of stages. Parquet, CSV or JSON lines, by the file's suffix.
Any other column is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from psgimg.finetune.metrics import prediction_checks, table_files, vote_counts

KEYS = ("corpus", "subject", "recording", "epoch")
PROBABILITIES = tuple(f"p_{stage}" for stage in STAGE_NAMES)
PAGE_PREDICTION, SEQUENCE = "page_prediction", "sequence"
PAGE_PROBABILITIES = tuple(f"page_{name}" for name in PROBABILITIES)
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
        (PAGE_PREDICTION, pa.string()),
        *((name, pa.float64()) for name in PAGE_PROBABILITIES),
        (SEQUENCE, pa.string()),
    ]
)

STAGE_COLUMNS = ("label", "label_2", "prediction", PAGE_PREDICTION, SEQUENCE)


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
        return five(self.table, PROBABILITIES)

    @property
    def page_predictions(self) -> npt.NDArray[np.int64]:
        """(n,) stages of the pages before their night was decoded, -1 without a valid answer."""
        return _stages(self.table[PAGE_PREDICTION])

    @property
    def page_probabilities(self) -> npt.NDArray[np.float64] | None:
        """(n, 5) probabilities of the pages before their night was decoded; None if it was not."""
        return five(self.table, PAGE_PROBABILITIES)

    @property
    def sequences(self) -> npt.NDArray[np.int64]:
        """(n,) likeliest sequence of stages of decoded nights, -1 without."""
        return _stages(self.table[SEQUENCE])

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
    """Validate a table with all columns of ``SCHEMA``, or only the required ones and some others.

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
                f"{path}: {prediction_checks.where(table, pc.is_null(table[name]))} has no {name}; {remedy}"
            )
    for name in STAGE_COLUMNS:
        if name not in table.column_names:
            continue
        valid = pc.or_(pc.is_in(table[name], pa.array(STAGE_NAMES)), pc.is_null(table[name]))
        if not pc.all(valid, min_count=0).as_py():
            wrong = table[name].filter(pc.invert(valid))[0].as_py()
            raise BuildError(
                f"{path}: {prediction_checks.where(table, pc.invert(valid))} has the {name} {wrong!r}; "
                f"stages are {', '.join(STAGE_NAMES)}"
            )
    prediction_checks.once(table, path)
    if "votes" in table.column_names:
        prediction_checks.votes(table, path)
    for names in (PROBABILITIES, PAGE_PROBABILITIES):
        if names[0] in table.column_names:
            prediction_checks.probabilities(table, names, path)
    return Predictions(table)


def typed(table: pa.Table, path: Path, schema: pa.Schema = SCHEMA) -> pa.Table:
    """Return the columns of a schema in its types; empty optional stages and NaN become null.

    Parameters
    ----------
    schema
        Fields of ``SCHEMA``, of which texts may be dictionaries.

    Raises
    ------
    BuildError
        If a column has the wrong type.
    """
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table[field.name]
        if pa.types.is_null(column.type):  # all empty; a dictionary of it would have a null in it
            columns.append(pa.nulls(len(table), field.type))
            continue
        is_encoded = pa.types.is_dictionary(field.type)
        if pa.types.is_dictionary(column.type) and not is_encoded:
            column = column.cast(column.type.value_type)
        if (is_encoded or pa.types.is_string(field.type)) and not _is_text(column.type):
            remedy = "make it text"
            if field.name in STAGE_COLUMNS:
                remedy += ", or give `psgimg evaluate` the stages of its numbers with --codes"
            raise BuildError(f"{path}: column {field.name!r} is {column.type}; {remedy}")
        try:
            if is_encoded:
                column = pc.dictionary_encode(column).unify_dictionaries()
            column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            message = " ".join(str(error).split())
            raise BuildError(f"{path}: column {field.name!r}: {message}; fix the values") from error
        if field.name in (*STAGE_COLUMNS[1:], "votes"):
            column = _without(column, pc.equal(column, ""))
        if pa.types.is_floating(field.type):
            column = _without(column, pc.is_nan(column))
        columns.append(column)
    return pa.table(columns, schema=schema)


def _without(column: pa.ChunkedArray, where: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with nulls at some rows; itself, not a copy, if there are none."""
    if not pc.any(where).as_py():
        return column
    return pc.if_else(where, pa.scalar(None, column.type), column)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def five(table: pa.Table, names: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Return (n, 5) numbers of five columns, NaN where one is missing; None if all are."""
    if all(table[name].null_count == len(table) for name in names):
        return None
    values = np.empty((len(table), len(names)))
    for place, name in enumerate(names):
        values[:, place] = table[name].to_numpy()
    return None if np.isnan(values).all() else values


def _stages(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return stage_codes(column).astype(np.int64)


def stage_codes(column: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    """Return (n,) the stages of a column of their names, -1 where it has none."""
    parts = [np.zeros(0, np.int8)]
    for chunk in pc.dictionary_encode(column).chunks:
        known = pc.index_in(chunk.dictionary, value_set=pa.array(STAGE_NAMES))
        codes = np.append(pc.fill_null(known, -1).to_numpy(), -1).astype(np.int8)
        parts.append(codes[pc.fill_null(chunk.indices, len(known)).to_numpy()])
    return np.concatenate(parts)
