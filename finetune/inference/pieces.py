"""Pieces: how the pages to predict are cut, to be resumed after a kill or shared among parts.

A part of N has whole recordings. Pieces are the same for every N and are batched one by one, so that
all parts together give the bytes of one command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.builder.words import counted, listed

SHOWN = 6
"""Missing parts that are named."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows in their order, of a stretch of whole recordings that is not shared further."""

    rows: npt.NDArray[np.int64]
    stretch: int


def cut(rows: npt.NDArray[np.int64], recording: npt.NDArray[np.integer], most: int) -> list[Piece]:
    """Cut rows, grouped by recording, into pieces of at most ``most`` rows.

    Parameters
    ----------
    rows, recording : (n,)
        Rows, and the recording of each.
    most
        A stretch is the fewest consecutive recordings that have as many rows: a night, or several
        recordings of which only some pages are predicted.
    """
    pieces: list[Piece] = []
    ends = np.append(np.flatnonzero(np.diff(recording)) + 1, len(rows)).tolist()
    start = stretch = 0
    for end in ends:
        if end - start < most and end != len(rows):
            continue
        pieces += [Piece(rows[i : min(i + most, end)], stretch) for i in range(start, end, most)]
        start, stretch = end, stretch + 1
    return pieces


def of_part(pieces: Sequence[Piece], part: Part | None) -> list[int]:
    """Return the numbers of the pieces of a part: those of every N-th stretch; None: of all."""
    stretches = range(pieces[-1].stretch + 1 if pieces else 0)
    own = set(stretches if part is None else part.every_nth(stretches))
    return [i for i, piece in enumerate(pieces) if piece.stretch in own]


def refuse_missing(
    pieces: Sequence[Piece], is_done: Callable[[int], bool], n_parts: int | None
) -> None:
    """Refuse to join parts of which some have not finished.

    Parameters
    ----------
    n_parts
        Number of parts; None if it is not known.

    Raises
    ------
    BuildError
        With the parts that are missing.
    """
    missing = {i for i in range(len(pieces)) if not is_done(i)}
    if not missing:
        return
    n_pages = sum(len(pieces[i].rows) for i in missing)
    parts = [Part(number, n_parts) for number in range(1, n_parts + 1)] if n_parts else []
    unfinished = [str(part) for part in parts if not missing.isdisjoint(of_part(pieces, part))]
    if len(unfinished) > SHOWN:
        unfinished[SHOWN - 1 :] = [f"{len(unfinished) - SHOWN + 1} more"]
    which = f", of part {listed(unfinished)}" if unfinished else ""
    raise BuildError(
        f"--join: {counted(n_pages, 'page')} of {sum(len(piece.rows) for piece in pieces):,} "
        f"not predicted yet{which}; run what is missing with --part, or leave --join out to do it here"
    )
