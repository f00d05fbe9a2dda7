"""Claims: which cells of a study test which claim, and the choice of some of them.

A cell without a claim is a reference: it belongs to every claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psgimg.builder.errors import BuildError

if TYPE_CHECKING:
    from psgimg.finetune.study.plan import Cell

KEY = "claim"

Claims = tuple[str, ...]


def read(path: Path, place: str, values: Mapping[str, Any]) -> Claims:
    """Return the claims that a part of a study file names; empty if it names none.

    Raises
    ------
    BuildError
        If a claim is not a word.
    """
    given = values.get(KEY, [])
    names = given if isinstance(given, list) else [given]
    for name in names:
        if not isinstance(name, str) or not name or name.split() != [name]:
            raise BuildError(f"{path}: {place}: claim: {name!r} is not a word such as resolution")
    if KEY in values and not names:
        raise BuildError(f"{path}: {place}: claim: the list is empty; give a claim or leave it out")
    return tuple(dict.fromkeys(names))


def joined(first: Claims, second: Claims) -> Claims:
    """Return the claims of a cell that a study file lists twice; without any, it has all."""
    return tuple(dict.fromkeys((*first, *second))) if first and second else ()


def choose(path: Path, cells: Sequence[Cell], wanted: Sequence[str]) -> list[Cell]:
    """Return the cells of some claims, with the references; all cells if no claim is wanted.

    Raises
    ------
    BuildError
        If no cell has such a claim.
    """
    known = dict.fromkeys(
        name for cell in cells for name in (*cell.claims, *cell.explanation_claims)
    )
    for name in wanted:
        if name not in known:
            available = ", ".join(known) or "none; cells name theirs as {claim: resolution, …}"
            raise BuildError(f"--claim {name}: {path} has no such claim; it has {available}")
    if not wanted:
        return list(cells)
    chosen = [cell for cell in cells if not cell.claims or set(cell.claims) & set(wanted)]
    return [
        cell
        if not cell.explanation_claims or set(cell.explanation_claims) & set(wanted)
        else replace(cell, explanation=None)
        for cell in chosen
    ]
