"""Micro-batch: how many pages of a step a card holds at once, and whether it keeps their activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from psgimg.builder.errors import BuildError

Peak = Callable[[int, bool], float]
"""Bytes that a number of pages take in training, with activation checkpointing or without; infinite
if they don't fit."""

PROBED = 4
"""Pages of the larger of two batches, from whose memory that of others is extrapolated."""

WORTHWHILE = 8
"""Pages at once from which a step without checkpointing is faster than one with more pages at once:
on an H100 a page takes a fifth less time without (``docs/gpu.json``), and small batches are slow."""


@dataclass(frozen=True)
class MicroBatch:
    """How a step is divided.

    Parameters
    ----------
    n_pages
        Pages at once.
    checkpointing
        Whether activations are computed again in the backward pass, not kept.
    """

    n_pages: int
    checkpointing: bool


def fitted(peak: Peak, room: float, n_pages: int, checkpointing: bool | None) -> MicroBatch:
    """Return the largest micro-batch that fits, without checkpointing if this leaves enough pages.

    Parameters
    ----------
    peak
        Measured for batches of one and of a few pages.
    room
        Bytes that training may take.
    n_pages
        Pages of a step, of which a micro-batch is a whole fraction.
    checkpointing
        As chosen by the user; None leaves the choice.

    Raises
    ------
    BuildError
        If not even one page fits.
    """
    found = MicroBatch(0, checkpointing=False)
    for checkpoints in (False, True) if checkpointing is None else (checkpointing,):
        n = _largest(peak, room, n_pages, checkpoints)
        if n > found.n_pages:
            found = MicroBatch(n, checkpoints)
        if n >= min(WORTHWHILE, n_pages):
            break
    if not found.n_pages:
        raise BuildError("not even one page fits")
    return found


def _largest(peak: Peak, room: float, n_pages: int, checkpointing: bool) -> int:
    """Return the largest divisor of ``n_pages`` that fits; 0 if one page does not."""
    one = peak(1, checkpointing)
    if one > room:
        return 0
    few = min(PROBED, n_pages)
    while few > 1 and math.isinf(several := peak(few, checkpointing)):
        few //= 2
    if few == 1:
        return 1
    each = max((several - one) / (few - 1), 1.0)
    fits = 1 + (room - one) / each
    return max(n for n in range(1, n_pages + 1) if n_pages % n == 0 and n <= fits)
