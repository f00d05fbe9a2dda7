"""The experts' Excel tables of ISRUC-Sleep. They carry a person's number and the night's date.

Only the columns ``Epoch`` and ``Stage`` are ever read, and nothing else of the file gets into a
message.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psgimg.builder.corpora.reading import read_bytes, score
from psgimg.builder.errors import RecordingError
from psgimg.builder.stages import Score, Stage, Unscored

# Column `Stage`. `N`, non-REM without its number, occurs six times in III/9.
CODES: dict[str, Score] = {
    "W": Stage.W,
    "N1": Stage.N1,
    "N2": Stage.N2,
    "N3": Stage.N3,
    "R": Stage.REM,
    "U": Unscored.UNSCORED,
    "N": Unscored.UNSCORED,
}
WITHOUT_STAGE = tuple(code for code, found in CODES.items() if isinstance(found, Unscored))

HEADER = ("Epoch", "Stage")


def stages(path: Path) -> dict[int, str]:
    """Stage code of each epoch (0-based) as the table spells it.

    Raises
    ------
    RecordingError
        If the file can't be read as such a table.
    """
    from openpyxl import load_workbook  # heavy

    read_bytes(path)  # refuses a missing or empty file in the words of all readers
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        try:
            rows = list(book.worksheets[0].iter_rows(max_col=len(HEADER), values_only=True))
        finally:
            book.close()
    except Exception as error:  # of a damaged archive: zipfile's, XML's, or openpyxl's own
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} is no Excel table ({type(error).__name__}); get it again or remove it",
        ) from error
    if not rows or tuple(rows[0]) != HEADER:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} does not begin with the columns {' and '.join(HEADER)}; get it again or "
            "remove it",
        )
    return dict(_numbered(rows[1:], path.name))


def scores(found: dict[int, str], where: str) -> list[Score]:
    """Scores of a table that must stand alone, every epoch from the first to the last.

    Raises
    ------
    RecordingError
        If an epoch is missing, or has an unknown code.
    """
    if sorted(found) != list(range(len(found))) or not found:
        raise RecordingError(
            "empty scoring", f"{where} does not number its epochs from 1 on without a hole"
        )
    return [score(found[i], CODES, f"{where}, epoch {i + 1}") for i in range(len(found))]


def _numbered(rows: Iterable[tuple[Any, ...]], where: str) -> Iterable[tuple[int, str]]:
    for row in rows:
        epoch, stage = (*row, None, None)[:2]
        if epoch is None and stage is None:
            continue  # blank rows at the end
        if not isinstance(epoch, int | float) or epoch != int(epoch):
            raise RecordingError(
                "unreadable scoring", f"{where} has an epoch without number; get it again"
            )
        yield int(epoch) - 1, str(stage or "").strip()
