"""What the terminal shows of fetching: what came, what did not, and how a corpus can be had."""

from __future__ import annotations

from psgimg.builder.access import services
from psgimg.builder.console import styled
from psgimg.builder.fetch import Brought
from psgimg.builder.words import counted, size
from rich.console import Console

SHOWN = 20
"""Recordings that could not be had and are named one by one."""


def show_brought(console: Console, brought: Brought) -> None:
    """Print what is on disk now, and every recording that could not be had."""
    for name, folder in brought.folders.items():
        console.print(styled((name, "bold"), f" is in {folder}"))
    console.print(
        f"on disk: {counted(brought.n_recordings, 'recording')}; fetched now: {size(brought.n_bytes)}"
    )
    for recording, reason in list(brought.lost.items())[:SHOWN]:
        console.print(styled((recording, "yellow"), f": {reason}"))
    if brought.lost:
        more = len(brought.lost) - SHOWN
        rest = f", {more:,} of them not listed here" if more > 0 else ""
        console.print(
            f"{len(brought.lost):,} could not be had{rest}; the same command goes on with them"
        )


def how_to_fetch(corpus: str) -> str:
    """Return how a corpus can be fetched, in one line; "" if it can't be."""
    if not services.can_fetch(corpus):
        return ""
    found = services.DISTRIBUTIONS[corpus]
    extent = f" ({found.n_gb:g} GB in all)" if found.n_gb else ""
    needs = f", with {found.needs}" if found.needs else ""
    return f"psgimg build --source {corpus} --fetch downloads it night by night{extent}{needs}"
