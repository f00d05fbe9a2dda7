"""ISRUC table: read the experts' Excel tables of ISRUC-Sleep.

The tables contain a person's number and the date of the night. Only the columns ``Epoch`` and
``Stage`` are read, and messages contain nothing else from the file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from psgimg.builder.corpora.reading import read_bytes, score
from psgimg.builder.errors import RecordingError
from psgimg.builder.files.bounded import MB, Bound, TooLargeError
from psgimg.builder.recordings.hypnogram import max_epochs
from psgimg.builder.stages import Score, Stage, Unscored

# Column `Stage`. `N`, non-REM without a number, occurs six times in III/9.
CODES: dict[str, Score] = {
    "W": Stage.W,
    "N1": Stage.N1,
    "N2": Stage.N2,
    "N3": Stage.N3,
    "R": Stage.REM,
    "U": Unscored.UNSCORED,
    "N": Unscored.UNSCORED,
}
WITHOUT_STAGE = tuple(code for code, value in CODES.items() if isinstance(value, Unscored))

HEADER = ("Epoch", "Stage")
EPOCH_S = 30.0

# The published tables are archives of 30 to 100 kB, with under 2 MB and 100,000 tags in each part.
ARCHIVE = Bound("an Excel table of epochs", 4 * MB, b"", 0, "")
PART = Bound("a part of an Excel table of epochs", 4 * MB, b"<", 200_000, "tags")
STYLES = Bound("a part of an Excel table of epochs", MB // 4, b"<", 10_000, "tags")
"""For parts other than cells and their texts: openpyxl builds objects from every tag of these."""
CELLS = ("xl/worksheets/", "xl/sharedStrings")
MAX_PARTS = 100


def stages(path: Path) -> dict[int, str]:
    """Return the stage code of each epoch (0-based) as spelt in the table.

    Raises
    ------
    RecordingError
        If the file can't be read as such a table.
    """
    content = read_bytes(path, ARCHIVE)
    try:
        rows = list(islice(_rows(content), max_epochs(EPOCH_S) + 2))
    except TooLargeError as error:
        raise RecordingError(
            "scoring too large", f"{path.name}: {error}; get it again or remove it"
        ) from error
    except Exception as error:  # a damaged archive raises errors of zipfile, XML or openpyxl
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} is not an Excel table ({type(error).__name__}); get it again or remove it",
        ) from error
    if not rows or tuple(rows[0]) != HEADER:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} does not begin with the columns {' and '.join(HEADER)}; get it again or "
            "remove it",
        )
    return dict(_numbered(rows[1:], path.name))


def scores(codes: dict[int, str], where: str) -> list[Score]:
    """Return the scores of all epochs of a table that is used without the text file.

    Raises
    ------
    RecordingError
        If an epoch is missing or has an unknown code.
    """
    if sorted(codes) != list(range(len(codes))) or not codes:
        raise RecordingError(
            "empty scoring",
            f"{where} does not number its epochs from 1 without gaps; get the file again",
        )
    return [score(codes[i], CODES, f"{where}, epoch {i + 1}") for i in range(len(codes))]


def _rows(content: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield the first cells of each row of the first sheet."""
    from openpyxl import load_workbook  # heavy

    _check_parts(content)
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    try:
        yield from book.worksheets[0].iter_rows(max_col=len(HEADER), values_only=True)
    finally:
        book.close()


def _check_parts(content: bytes) -> None:
    """Refuse an archive that expands to more than a table of epochs, by reading it within bounds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS:
            raise TooLargeError(f"it has {len(parts)} parts; a table of epochs has about ten")
        for part in parts:
            bound = PART if part.filename.startswith(CELLS) else STYLES
            file: IO[bytes]
            with archive.open(part) as file:
                bound.read(file, part.filename)


def _numbered(rows: Iterable[tuple[Any, ...]], where: str) -> Iterable[tuple[int, str]]:
    for row in rows:
        epoch, stage = (*row, None, None)[:2]
        if epoch is None and stage is None:
            continue  # blank rows at the end
        if not isinstance(epoch, int | float) or epoch % 1 != 0 or epoch < 1:
            raise RecordingError(
                "unreadable scoring", f"{where} has an epoch without a number; get the file again"
            )
        yield int(epoch) - 1, str(stage or "").strip()
