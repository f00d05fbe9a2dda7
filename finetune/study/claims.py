"""Claims: which cells of a study test which claim.

A cell without a claim is a reference: it belongs to every claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError

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
