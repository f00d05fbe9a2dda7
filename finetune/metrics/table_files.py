"""Table files: reading and writing Parquet, CSV and JSON lines, chosen by the file's suffix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.files.bounded import MB, TooLargeError

MAX_ROWS = 30_000_000
"""More than the epochs of all corpora together; a larger table is something else, or hostile."""

MAX_FILE_BYTES = 8_000 * MB
"""Maximum size of a file in CSV or JSON lines, 250 bytes for each of the rows."""

MAX_LINE_BYTES = MB
"""Maximum length of a line."""

MAX_COLUMNS = 2_000

AT_A_TIME = 1_000_000
"""Rows of Parquet that are read at a time, or those of one row group if it has more."""

BATCH = 10_000
"""Rows of JSON lines that are converted at a time; Python's values take far more memory."""


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table; columns of a CSV file take the types of ``schema``.

    Raises
    ------
    BuildError
        If the suffix is unknown, the file can't be read as that format or is too large for
        predictions, or a column occurs twice.
    """
    reader = FORMATS[checked(path).suffix][0]
    try:
        table = reader(path, schema)
        twice = [name for name in schema.names if table.column_names.count(name) > 1]
    except FileNotFoundError as error:
        raise BuildError(f"{path} does not exist; give a predictions file") from error
    except TooLargeError as error:
        raise BuildError(f"{path}: {error}; give a file of predictions") from error
    # JSON lines may mix types within a column, and hold numbers that overflow every column type.
    except (OSError, pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        message = " ".join(str(error).split())
        raise BuildError(f"{path}: {message}; write it as Parquet, CSV or JSON lines") from error
    if twice:
        raise BuildError(f"{path}: several columns are named {twice[0]!r}; keep one")
    return table


def write(path: Path, table: pa.Table, suffix: str) -> None:
    """Write a table in the format of a suffix; the same table gives the same bytes."""
    FORMATS[suffix][1](path, table)


def checked(path: Path) -> Path:
    """Return the path if its suffix is one of ``FORMATS``.

    Raises
    ------
    BuildError
        If it is not.
    """
    if path.suffix not in FORMATS:
        raise BuildError(f"{path}: unknown file type; end its name in {', '.join(FORMATS)}")
    return path


def _read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    import pyarrow.parquet as pq

    # Texts stay in dictionaries: repeated 30 million times, a long one would fill the memory.
    fields = [field for field in pq.read_schema(path) if field.name in schema.names]
    for field in fields:
        _check_type(field)
    names = [field.name for field in fields]
    texts = [field.name for field in fields if not pa.types.is_primitive(field.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        metadata = file.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        n_rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
        if n_rows > MAX_ROWS:
            raise TooLargeError(
                f"{n_rows:,} rows, more than the {MAX_ROWS:,} that predictions can have"
            )
        if not _is_small(sum(group.total_byte_size for group in groups), n_rows):
            # Only now, as PyArrow aborts the process at a column whose metadata are damaged.
            chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
            _check_volume(
                sum(one.total_uncompressed_size for one in chunks if one.path_in_schema in names),
                n_rows,
            )
        rows = [group.num_rows for group in groups]
        # Read in one go, the pages of all columns would be in memory beside the table.
        parts = [file.read_row_groups(some, names) for some in _row_groups(rows)]
        table = pa.concat_tables(parts) if parts else file.read(names)
    table.validate(full=True)  # texts in UTF-8
    for column in table.columns:
        kind = column.type
        if pa.types.is_dictionary(kind) and not pa.types.is_primitive(kind.value_type):
            _check_volume(_n_text_bytes(column), n_rows)
    return table


def _row_groups(n_rows: Sequence[int]) -> list[list[int]]:
    """Return the numbers of row groups that are read at a time, given the rows of each."""
    found: list[list[int]] = []
    rows = AT_A_TIME
    for number, n in enumerate(n_rows):
        if rows + n > AT_A_TIME:
            found.append([])
            rows = 0
        found[-1].append(number)
        rows += n
    return found


def _write_parquet(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _check_type(field: pa.Field) -> None:
    """Refuse a column whose values may each be of any size, beside texts."""
    kind = field.type
    if pa.types.is_nested(kind) or pa.types.is_fixed_size_binary(kind):
        raise TypeError(f"column {field.name!r} is {str(kind)[:80]}, neither text nor a number")


def _n_text_bytes(column: pa.ChunkedArray) -> int:
    """Return the size of a column of texts without its dictionary."""
    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
        total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return total


def _is_small(n_bytes: int, n_rows: int) -> bool:
    return n_bytes <= 64 * MB + 1_000 * n_rows


def _check_volume(n_bytes: int, n_rows: int) -> None:
    """Refuse a compressed file that expands to more than rows of predictions do."""
    if not _is_small(n_bytes, n_rows):
        raise TooLargeError(
            f"{n_bytes / MB:,.0f} MB in {n_rows:,} rows, more than predictions can have"
        )


def _check_size(path: Path) -> None:
    n_bytes = path.stat().st_size
    if n_bytes > MAX_FILE_BYTES:
        raise TooLargeError(
            f"{n_bytes / MB:,.0f} MB, more than the {MAX_FILE_BYTES / MB:,.0f} MB that predictions can have"
        )


def _read_csv(path: Path, schema: pa.Schema) -> pa.Table:
    from pyarrow import csv

    _check_size(path)
    with path.open("rb") as file:
        n_columns = file.readline(MAX_LINE_BYTES).count(b",") + 1
    if n_columns > MAX_COLUMNS:
        raise TooLargeError(
            f"{n_columns:,} columns, more than the {MAX_COLUMNS:,} of any predictions"
        )
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema,  # a subject "001" is not a number
            null_values=["", "nan", "NaN"],  # a subject called "NA" is not a missing value
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _write_csv(path: Path, table: pa.Table) -> None:
    from pyarrow import csv

    csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed"))


def _read_jsonl(path: Path, schema: pa.Schema) -> pa.Table:
    _check_size(path)
    rows, tables, n_rows = _json_rows(path, schema.names), [], 0
    while batch := list(islice(rows, BATCH)):
        n_rows += len(batch)
        if n_rows > MAX_ROWS:
            raise TooLargeError(f"more than the {MAX_ROWS:,} rows that predictions can have")
        names = {name for row in batch for name in row}
        columns = {name: pa.array([row.get(name) for row in batch]) for name in sorted(names)}
        if columns:
            tables.append(pa.table(columns))
    return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})


def _json_rows(path: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the values of some names in each line."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise TooLargeError(f"a line has more than {MAX_LINE_BYTES / MB:g} MB")
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except RecursionError:
                raise ValueError("a line is nested too deeply") from None
            if not isinstance(row, dict):
                raise TypeError("a line is not a JSON object")
            yield {name: row[name] for name in names if name in row}


def _write_jsonl(path: Path, table: pa.Table) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


_Format = tuple[Callable[[Path, pa.Schema], pa.Table], Callable[[Path, pa.Table], None]]

FORMATS: dict[str, _Format] = {
    ".parquet": (_read_parquet, _write_parquet),
    ".csv": (_read_csv, _write_csv),
    ".jsonl": (_read_jsonl, _write_jsonl),
}
