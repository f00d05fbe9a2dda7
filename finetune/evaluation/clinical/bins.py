"""Bins: groups of subjects by the values of a column, numbers in stated bins and words as they are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from psgimg.builder.errors import BuildError
from psgimg.finetune.evaluation.epochs import SubjectKey

KNOWN_EDGES: Mapping[str, tuple[float, ...]] = {
    "age": (18, 40, 60),
    "ahi": (5, 15, 30),
    "bmi": (18.5, 25, 30),
}
"""Edges of columns that have this word in their names. AHI: none, mild, moderate, severe (AASM)."""

MOST_CODES = 5
"""Whole numbers of at most so many values, each of several subjects, are codes, such as 1 and 2."""

MOST_GROUPS = 20
UNKNOWN = "unknown"
N_PARTS = 3
"""Number of bins, of about equal numbers of subjects, of other numbers."""


@dataclass(frozen=True)
class By:
    """A column to group by.

    Parameters
    ----------
    column
        Its name.
    edges
        Edges of the bins given by the user; None if not given.
    """

    column: str
    edges: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Grouping:
    """Groups of subjects.

    Parameters
    ----------
    edges
        Edges of the bins, each in the bin above it; None if the groups are values.
    groups
        Name → its subjects, in order; ``UNKNOWN`` last.
    """

    edges: tuple[float, ...] | None
    groups: Mapping[str, tuple[SubjectKey, ...]]


def parse(words: str) -> tuple[By, ...]:
    """Read the option ``--by``: ``age,sex,ahi`` or, with edges of bins, ``age:18-40-65,ahi:15``.

    Raises
    ------
    BuildError
        If it names no column, one twice, or edges that are not ascending numbers.
    """
    found: list[By] = []
    for part in words.split(","):
        column, colon, stated = part.strip().partition(":")
        if not column or (colon and not stated):
            raise BuildError(
                f"--by {words}: give columns separated by commas, such as age,sex,ahi or age:18-40-65"
            )
        if column in {by.column for by in found}:
            raise BuildError(f"--by {words}: {column} stands there twice; name it once")
        found.append(By(column, _edges(stated, words) if colon else None))
    return tuple(found)


def group(by: By, values: Mapping[SubjectKey, str | None], where: str) -> Grouping:
    """Group subjects by their values of a column.

    Parameters
    ----------
    by
        The column, and edges if the user gave any.
    values
        Subject → value; None where it is unknown.
    where
        The file, for messages.

    Raises
    ------
    BuildError
        If some values are numbers and others are not, edges are given for words, or a column of words
        has more values than make groups.
    """
    known = {one: value for one, value in values.items() if value is not None}
    numbers = {one: _number(value) for one, value in known.items()}
    wrong = [one for one, number in numbers.items() if number is None]
    if wrong and (by.edges is not None or len(wrong) < len(known) / 2):
        raise BuildError(
            f"{where}: {by.column} of {wrong[0].subject} is {known[wrong[0]]!r}, not a number; give "
            "a number or leave it empty"
        )
    unknown = tuple(one for one in values if one not in known)
    if wrong:
        edges, named = None, _by_word(by.column, known, where)
    else:
        told = {one: number for one, number in numbers.items() if number is not None}
        edges = by.edges or _known_edges(by.column) or _own_edges(list(told.values()))
        named = _by_number(told, edges)
    return Grouping(edges, named | ({UNKNOWN: unknown} if unknown else {}))


def _by_word(
    column: str, known: Mapping[SubjectKey, str], where: str
) -> dict[str, tuple[SubjectKey, ...]]:
    names = sorted(set(known.values()))
    if len(names) > MOST_GROUPS:
        raise BuildError(
            f"--by {column}: {where} has {len(names)} different values in it, such as {names[0]!r}; "
            f"give a column of at most {MOST_GROUPS} groups"
        )
    return {name: tuple(one for one, value in known.items() if value == name) for name in names}


def _by_number(
    told: Mapping[SubjectKey, float], edges: tuple[float, ...] | None
) -> dict[str, tuple[SubjectKey, ...]]:
    """Group by bin, or by value without edges; bins without a subject are left out."""
    if edges is None:
        return {
            f"{code:g}": tuple(one for one, value in told.items() if value == code)
            for code in sorted(set(told.values()))
        }
    names = [
        f"under {edges[0]:g}",
        *(f"{low:g} to under {high:g}" for low, high in pairwise(edges)),
        f"{edges[-1]:g} or more",
    ]
    found: dict[str, tuple[SubjectKey, ...]] = {}
    for place, name in enumerate(names):
        own = tuple(
            one for one, value in told.items() if np.searchsorted(edges, value, "right") == place
        )
        if own:
            found[name] = own
    return found


def _known_edges(column: str) -> tuple[float, ...] | None:
    words = re.split(r"[^a-z]+", column.lower())
    return next((edges for name, edges in KNOWN_EDGES.items() if name in words), None)


def _own_edges(values: Sequence[float]) -> tuple[float, ...] | None:
    """Return edges that part subjects about equally; None for codes, which are groups by value."""
    codes = set(values)
    whole = all(value == int(value) for value in codes)
    if whole and len(codes) <= MOST_CODES and len(values) >= 3 * len(codes):
        return None
    if len(codes) <= N_PARTS:
        return None
    middle = np.quantile(values, [i / N_PARTS for i in range(1, N_PARTS)], method="inverted_cdf")
    edges = sorted({float(edge) for edge in middle} - {min(values)})
    return tuple(edges) or None


def _edges(stated: str, words: str) -> tuple[float, ...]:
    numbers = [_number(part) for part in stated.split("-")]
    edges = [number for number in numbers if number is not None]
    if len(edges) < len(numbers) or edges != sorted(set(edges)):
        raise BuildError(
            f"--by {words}: {stated!r} are no edges of bins; give ascending numbers, such as "
            "age:18-40-65"
        )
    return tuple(edges)


def _number(words: str) -> float | None:
    try:
        number = float(words)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
