"""Table files: reading and writing Parquet, CSV and JSON lines, chosen by the file's suffix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from psgimg.builder.errors import BuildError


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table; columns of a CSV file take the types of ``schema``.

    Raises
    ------
    BuildError
        If the suffix is unknown, the file can't be read as that format, or a column occurs twice.
    """
    reader = FORMATS[checked(path).suffix][0]
    try:
        table = reader(path, schema)
    except FileNotFoundError as error:
        raise BuildError(f"{path} does not exist; give a predictions file") from error
    # JSON lines may mix types within a column, and hold numbers that overflow every column type.
    except (OSError, pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        message = " ".join(str(error).split())
        raise BuildError(f"{path}: {message}; write it as Parquet, CSV or JSON lines") from error
    if twice := [name for name in schema.names if table.column_names.count(name) > 1]:
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

    with pq.ParquetFile(path) as file:
        return file.read([name for name in file.schema_arrow.names if name in schema.names])


def _write_parquet(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _read_csv(path: Path, schema: pa.Schema) -> pa.Table:
    from pyarrow import csv

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
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is not a JSON object")
    names = {name for row in rows for name in row} & set(schema.names)
    return pa.table({name: [row.get(name) for row in rows] for name in sorted(names)})


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
