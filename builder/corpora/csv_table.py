"""CSV table: the rows of a scoring that is a table, each with its place in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from psgimg.builder.errors import RecordingError


def rows_of(
    text: str, where: str, delimiter: str, *, skip_spaces: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each row of a table: the first one, and all that are not blank.

    Parameters
    ----------
    where
        File, for the places.
    skip_spaces
        Whether spaces after a delimiter belong to no cell.

    Raises
    ------
    RecordingError
        If it is not a table.
    """
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=skip_spaces
    )
    try:
        for i, cells in enumerate(rows):
            if i == 0 or any(cell.strip() for cell in cells):
                yield f"{where}, line {rows.line_num}", cells
    except csv.Error as error:
        raise RecordingError(
            "unreadable scoring", f"{where}, line {rows.line_num}: {error}; get the file again"
        ) from error
