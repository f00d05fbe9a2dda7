"""BIDS table: read a tab-separated table with a header, and the JSON beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.corpora.reading import read_bytes, read_text
from psgimg.builder.errors import RecordingError
from psgimg.builder.files import bounded

NULL = ("", "n/a")
"""Values that mean none, in lower case."""


@dataclass(frozen=True)
class BidsTable:
    """A table; every row has a value for each column."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def find(self, *names: str) -> str | None:
        """Return the first column that has one of some names: as it is spelt, or else in any case."""
        by_name = {column.lower(): column for column in reversed(self.columns)}
        found = (name if name in self.columns else by_name.get(name.lower()) for name in names)
        return next(filter(None, found), None)

    def values(self, column: str) -> list[str]:
        """Return the values of a column; those that mean none as empty text.

        Raises
        ------
        RecordingError
            If another column has the same name and other values.
        """
        place, *others = (i for i, name in enumerate(self.columns) if name == column)
        if any(row[other] != row[place] for other in others for row in self.rows):
            raise RecordingError(
                "unreadable table",
                f"{self.name} has {1 + len(others)} columns {column[:40]!r} that differ; rename or remove "
                "all but one",
            )
        return ["" if row[place].lower() in NULL else row[place] for row in self.rows]

    def only(self, kept: Sequence[bool]) -> BidsTable:
        """Return the table with some of its rows."""
        rows = tuple(row for row, keep in zip(self.rows, kept, strict=True) if keep)
        return BidsTable(self.name, self.columns, rows)


def read_table(path: Path) -> BidsTable:
    """Read a table, with or without a byte-order mark.

    Raises
    ------
    RecordingError
        If it can't be read, or a row has more or fewer values than the header.
    """
    text = read_text(path)  # splitlines would also divide a note at a form feed
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    rows = list(_split(lines))
    columns = rows[0]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(columns):
            raise RecordingError(
                "unreadable table",
                f"{path.name}, row {number}: {len(row)} values, but the header has {len(columns)}; "
                "separate the values by tabs",
            )
    return BidsTable(path.name, columns, tuple(rows[1:]))


def _split(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    separator = "," if "," in lines[0] and "\t" not in lines[0] else "\t"
    for line in lines:
        yield tuple(value.strip().strip('"') for value in line.split(separator))


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file with an object.

    Raises
    ------
    RecordingError
        If it can't be read.
    """
    try:
        content = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
        value = bounded.loads(content, path.name, any_text=True)
    except (ValueError, RecursionError) as error:
        raise RecordingError(
            "unreadable sidecar", f"{path.name} is not JSON ({error}); correct it, or get it again"
        ) from error
    if not isinstance(value, dict):
        raise RecordingError("unreadable sidecar", f"{path.name} is not a JSON object; correct it")
    return value
