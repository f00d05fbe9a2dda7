"""Sequences: pages that follow one another without a gap, and the windows that a network sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.baselines import store
from psgimg.finetune.baselines.nights import Night
from psgimg.finetune.metrics.disclosure import View

LENGTH = 35
"""Pages of a window, as many as U-Sleep was trained on: 17.5 min."""

HOP = LENGTH // 2
"""Pages from one window to the next where a night is staged: each page is in two of them or more."""

VIEW = View(before=LENGTH - 1, after=LENGTH - 1, whole_night=True)
"""A page may be the first or the last of a window; its lanes are scaled by their spread over the night."""


class Window(NamedTuple):
    """Rows ``start`` to ``stop`` of the pages of some nights, at most ``LENGTH``."""

    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Sequences:
    """Pages of a night in order of time.

    Parameters
    ----------
    pages : (n, n_lanes, n_samples) float16
        Scaled by the night's own spread.
    runs
        Numbers of pages of the runs in which each page follows on the one before it.
    """

    pages: npt.NDArray[np.float16]
    runs: tuple[int, ...]


def of_night(night: Night) -> Sequences:
    """Return the pages of a night; their signals go on from page to page within a run.

    Epochs of 20 s are pages of 30 s, of which neighbours overlap by 10 s: there, the network sees every
    second piece of 10 s twice, in training as in staging, and its 35 pages span 11.8 min.
    """
    return Sequences(scaled_pages(night), runs([night]))


def scaled_pages(night: Night) -> npt.NDArray[np.float16]:
    """Return the pages of a night, scaled by the spread of each lane over the night."""
    return store.in_own_scale(store.pages_of(night))


def runs(nights: Sequence[Night]) -> tuple[int, ...]:
    """Return the numbers of pages of all runs of consecutive epochs of some nights, in order."""
    lengths: list[int] = []
    for night in nights:
        breaks = np.flatnonzero(np.diff(night.epochs) != 1) + 1
        lengths += np.diff([0, *breaks, len(night.epochs)]).tolist()
    return tuple(lengths)


def random_windows(lengths: Sequence[int], rng: np.random.Generator) -> list[Window]:
    """Return windows that cut each run at random places, shuffled; every page is in one or more.

    The first and the last window of a run are moved into it, over pages of their neighbours: the network
    would otherwise learn from silence beside the edges of runs, which it never meets in a longer run.
    """
    windows = []
    first = 0
    for n in lengths:
        last = max(n - LENGTH, 0)
        cuts = range(int(rng.integers(LENGTH)) - LENGTH + 1, n, LENGTH)
        starts = sorted({min(max(at, 0), last) for at in cuts})
        windows += [Window(first + at, first + min(at + LENGTH, n)) for at in starts]
        first += n
    return [windows[i] for i in rng.permutation(len(windows))]


def overlapping_windows(lengths: Sequence[int]) -> list[Window]:
    """Return windows of which those of a run overlap, the last one ending with it."""
    windows = []
    first = 0
    for n in lengths:
        last = max(n - LENGTH, 0)
        starts = sorted({*range(0, last, HOP), last})
        windows += [Window(first + at, first + min(at + LENGTH, n)) for at in starts]
        first += n
    return windows
