"""People: which person each ``sub-`` of a BIDS dataset is, by ``participants.tsv``.

Somebody with several nights may have several ``sub-``. Their nights must stay in one split.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from psgimg.builder.corpora.bids.bids_table import BidsTable, read_table
from psgimg.builder.errors import BuildError, RecordingError

FILE = "participants.tsv"
PERSON = ("person_id", "person", "pid", "subject_id", "patient_id", "patient")
"""Columns that name the person, where the dataset's description names none."""


def people(base: Path, files: Iterable[Path], column: str) -> dict[str, str]:
    """Return the person of each ``sub-``, in lower case without ``sub-``.

    Those whose person is not stated are left out; each counts as a person.

    Parameters
    ----------
    base
        Folder of the dataset.
    column
        Column that names the person; one of ``PERSON`` if empty, and then it may be missing.

    Raises
    ------
    BuildError
        If the file can't be read, the column is missing, or a ``sub-`` is stated to be two people.
    """
    path = next((one for one in files if one.parent == base and one.name.lower() == FILE), None)
    if path is None or not path.exists():
        if column:
            raise BuildError(
                f"{base} has no {FILE}, whose column {column} tells which nights are of one person; "
                "get it from the distributor"
            )
        return {}
    try:
        return _people(read_table(path), path, column)
    except RecordingError as error:
        raise BuildError(f"{base}: {error.detail}") from error


def _people(table: BidsTable, path: Path, column: str) -> dict[str, str]:
    names = table.find("participant_id")
    person = table.find(*([column] if column else PERSON))
    if names is None or (column and person is None):
        raise BuildError(
            f"{path} has no column {'participant_id' if names is None else column}; it has "
            f"{', '.join(table.columns)}"
        )
    return _persons(table, names, person) if person else {}


def _persons(table: BidsTable, names: str, person: str) -> dict[str, str]:
    """Return the person of each ``sub-``; a bare number is preceded by the name of its column."""
    persons: dict[str, str] = {}
    for name, value in zip(table.values(names), table.values(person), strict=True):
        if name and value:
            sub = name.lower().removeprefix("sub-")
            stated = value if value[0].isalpha() else f"{person}-{value}"
            if persons.setdefault(sub, stated) != stated:
                raise RecordingError(
                    "ambiguous person",
                    f"{table.name} states two values of {person} for {name[:40]}, so that its person is "
                    "uncertain; correct it",
                )
    return persons
