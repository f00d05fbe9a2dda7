"""Pattern: which lanes of a page are absent, and the random choice of lanes to leave out. Pure.

A page's lanes are the derivations drawn, from top to bottom, with None for an absent lane, as in the
column ``lanes`` of a dataset. Its pattern is the set of absent lanes, by their names in the montage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Drawn = tuple[str | None, ...]
Absent = tuple[bool, ...]
"""For each lane of a montage, whether it is absent."""

SHARE_INTACT = 0.5
"""Share of training pages from which no lane is left out: most nights are complete."""


def absent(drawn: Sequence[str | None]) -> Absent:
    """Return which lanes of a page are absent."""
    return tuple(name is None for name in drawn)


def without(drawn: Sequence[str | None], left_out: Sequence[bool]) -> Drawn:
    """Return the lanes of a page after some are left out."""
    return tuple(None if gone else name for name, gone in zip(drawn, left_out, strict=True))


def has_eeg(drawn: Sequence[str | None], eeg: Sequence[bool]) -> bool:
    """Whether an EEG lane is present; a page without one is never drawn."""
    return any(name is not None and is_eeg for name, is_eeg in zip(drawn, eeg, strict=True))


def names(lanes: Sequence[str], gone: Sequence[bool]) -> tuple[str, ...]:
    """Return the names of the absent lanes."""
    return tuple(name for name, is_absent in zip(lanes, gone, strict=True) if is_absent)


def chosen(drawn: Sequence[str | None], eeg: Sequence[bool], rng: np.random.Generator) -> Absent:
    """Choose the lanes to leave out of a training page: none of half of the pages, else any number.

    One EEG lane, chosen at random, always stays. All numbers of the others are equally frequent, and
    so all patterns with an EEG lane occur, those with few and those with many lanes most often.

    Parameters
    ----------
    eeg
        For each lane, whether it is an EEG lane.
    """
    nothing = (False,) * len(drawn)
    if rng.random() < SHARE_INTACT or not has_eeg(drawn, eeg):
        return nothing
    present = [i for i, name in enumerate(drawn) if name is not None]
    spared = int(rng.choice([i for i in present if eeg[i]]))
    others = [i for i in present if i != spared]
    if not others:
        return nothing
    gone = rng.choice(others, int(rng.integers(1, len(others) + 1)), replace=False)
    return tuple(i in gone for i in range(len(drawn)))
