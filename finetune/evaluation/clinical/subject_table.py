"""Subject table: a user's table of people, such as BIDS's ``participants.tsv``, and whom it describes.

Needed is a column ``subject`` or ``participant_id``; with several corpora, a column ``corpus`` as well.
Subjects are matched by their names as they stand, or without the prefix ``sub-`` and leading zeros,
which tables and readers of numbers add and remove: whichever matches most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from psgimg.builder.errors import BuildError
from psgimg.builder.files.bounded import MB
from psgimg.finetune.evaluation.epochs import SubjectKey

NAMES = ("subject", "participant_id")
SUFFIXES = (".csv", ".tsv", ".parquet")
MISSING = ("", "n/a", "na", "nan", "none", "null")
"""Values, in small letters, that stand for no value; ``n/a`` is that of BIDS."""

MAX_BYTES = 200 * MB
N_SHOWN = 3
"""Number of names shown in a message."""


@dataclass(frozen=True)
class SubjectTable:
    """What a table says of the subjects of some predictions.

    Parameters
    ----------
    path
        The file.
    columns
        Names of its columns.
    values
        Column → subject → value, None where it is missing.
    absent
        Subjects of the predictions that the table lacks.
    how
        How names were matched, if not as they stand.
    """

    path: Path
    columns: tuple[str, ...]
    values: Mapping[str, Mapping[SubjectKey, str | None]]
    absent: frozenset[SubjectKey]
    how: str | None


def read(path: Path, subjects: Sequence[SubjectKey], by: Sequence[str]) -> SubjectTable:
    """Read some columns of a table for some subjects.

    Parameters
    ----------
    path
        CSV, TSV or Parquet.
    subjects
        Subjects of the predictions.
    by
        Columns to read; one that differs in capitals only is taken.

    Raises
    ------
    BuildError
        If the file can't be read, lacks a column, describes none of the subjects, or describes one
        twice and differently.
    """
    rows = _rows(path)
    names = tuple(rows[0]) if rows else ()
    if not rows:
        raise BuildError(f"{path} has no rows; give a table with a row per subject")
    key = next((name for name in NAMES if name in names), None)
    if key is None:
        raise BuildError(
            f"{path}: no column {' or '.join(NAMES)} (found: {', '.join(names[:12])}); name the "
            "column of subjects so"
        )
    columns = {name: _column(path, name, names) for name in by}
    with_corpus = "corpus" in names and any(one.corpus for one in subjects)
    rows = _of_corpora(path, rows, subjects, with_corpus)
    form, how = _best_form(path, key, rows, subjects)
    placed = _placed(path, key, rows, list(columns.values()), form, with_corpus)
    keys = {one: (one.corpus if with_corpus else "", form(one.subject)) for one in subjects}
    values = {
        name: {one: placed.get(place, {}).get(column) for one, place in keys.items()}
        for name, column in columns.items()
    }
    absent = frozenset(one for one, place in keys.items() if place not in placed)
    return SubjectTable(path, names, values, absent, how)


Row = dict[str, str | None]
Form = Callable[[str], str]


def _as_it_stands(name: str) -> str:
    return name


def _bare(name: str) -> str:
    """Return a name without the prefix of BIDS, and a number without leading zeros or ``.0``."""
    name = name.removeprefix("sub-")
    whole = name.removesuffix(".0")
    return (whole.lstrip("0") or "0") if whole.isascii() and whole.isdigit() else name


FORMS: tuple[tuple[Form, str | None], ...] = (
    (_as_it_stands, None),
    (_bare, "without the prefix sub- and leading zeros"),
)


def _rows(path: Path) -> list[Row]:
    """Read a table as texts; None for a missing value."""
    if path.suffix not in SUFFIXES:
        raise BuildError(f"{path}: unknown file type; end its name in {', '.join(SUFFIXES)}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BuildError(f"{path} has more than {MAX_BYTES / MB:g} MB; give a row per subject")
        table = _parquet(path) if path.suffix == ".parquet" else _text(path)
    except FileNotFoundError as error:
        raise BuildError(f"{path} does not exist; give a table of subjects") from error
    except (OSError, pa.ArrowException, ValueError) as error:
        message = " ".join(str(error).split())
        raise BuildError(f"{path}: {message}; write it as CSV, TSV or Parquet") from error
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise BuildError(f"{path}: several columns are named {twice[0]!r}; keep one")
    return [{name: _value(value) for name, value in row.items()} for row in table.to_pylist()]


def _text(path: Path) -> pa.Table:
    from pyarrow import csv

    sign = "\t" if path.suffix == ".tsv" else ","
    with path.open(encoding="utf-8-sig") as file:
        names = [name.strip().strip('"') for name in file.readline(MB).rstrip("\r\n").split(sign)]
    if len(names) == 1 and (other := next((s for s in ";\t," if s in names[0]), None)):
        raise ValueError(f"its columns are separated by {other!r}, not by {sign!r}")
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=sign),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    flat = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    return table.select(flat)


def _value(value: Any) -> str | None:
    words = "" if value is None else str(value).strip()
    return None if words.lower() in MISSING else words


def _column(path: Path, name: str, names: Sequence[str]) -> str:
    """Return the column of a name, whatever its capitals."""
    if name in names:
        return name
    near = [other for other in names if other.lower() == name.lower()]
    if len(near) == 1:
        return near[0]
    raise BuildError(f"--by {name}: {path} has no such column (found: {', '.join(names[:30])})")


def _of_corpora(
    path: Path, rows: list[Row], subjects: Sequence[SubjectKey], with_corpus: bool
) -> list[Row]:
    """Return the rows of the corpora of the predictions, if both state the corpus."""
    if with_corpus:
        corpora = {one.corpus for one in subjects}
        return [row for row in rows if row["corpus"] in corpora]
    seen: dict[str, str] = {}
    for one in subjects:
        if seen.setdefault(one.subject, one.corpus) != one.corpus:
            raise BuildError(
                f"{path} has no column corpus, and {seen[one.subject]} and {one.corpus} both have a "
                f"subject {one.subject}; add a column corpus"
            )
    return rows


def _best_form(
    path: Path, key: str, rows: Sequence[Row], subjects: Sequence[SubjectKey]
) -> tuple[Form, str | None]:
    """Return the form of names that matches the most subjects, the exact one if equal."""
    told = {row[key] for row in rows} - {None}
    wanted = {one.subject for one in subjects}
    best, most = FORMS[0], 0
    for form, how in FORMS:
        forms = {form(name) for name in told if name is not None}
        n = sum(form(name) in forms for name in wanted)
        unique = len({(one.corpus, form(one.subject)) for one in subjects}) == len(subjects)
        if n > most and unique:
            best, most = (form, how), n
    if not most:
        raise BuildError(
            f"{path} has none of the {len(wanted)} subjects of the predictions: its {key} is like "
            f"{_some({name for name in told if name})}, theirs like {_some(wanted)}"
        )
    return best


def _placed(
    path: Path, key: str, rows: Sequence[Row], columns: Sequence[str], form: Form, with_corpus: bool
) -> dict[tuple[str, str], Row]:
    """Return the rows by corpus, if the table has that column, and name in some form."""
    placed: dict[tuple[str, str], Row] = {}
    for row in rows:
        if (name := row[key]) is None:
            continue
        place = ((row["corpus"] or "") if with_corpus else "", form(name))
        earlier = placed.setdefault(place, row)
        for column in columns:
            if earlier[column] != row[column]:
                raise BuildError(
                    f"{path}: {name} has the {column} {earlier[column] or 'n/a'} and "
                    f"{row[column] or 'n/a'}; keep one row per subject"
                )
    return placed


def _some(names: set[str]) -> str:
    shown = sorted(names)[:N_SHOWN]
    return ", ".join(repr(name[:40]) for name in shown) or "nothing"
