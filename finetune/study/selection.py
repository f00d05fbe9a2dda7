"""Selection: the cells of a study that one command runs, by claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from psgimg.builder.errors import BuildError
from psgimg.finetune.study.claims import Claims
from psgimg.finetune.study.plan import Cell


def of_claims(path: Path, cells: Sequence[Cell], wanted: Sequence[str]) -> list[Cell]:
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

    def is_wanted(claims: Claims) -> bool:
        return not claims or not set(claims).isdisjoint(wanted)

    asked = [
        cell if is_wanted(cell.explanation_claims) else replace(cell, explanation=None)
        for cell in cells
    ]
    return [
        cell
        for cell in asked
        if is_wanted(cell.claims) or (cell.explanation and cell.explanation_claims)
    ]
