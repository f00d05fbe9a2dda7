"""Page selection: pages to explain, spread evenly over stages and recordings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from psgimg.finetune.data.page_set import PageSet

Rows = npt.NDArray[np.int64]


def chosen(pageset: PageSet, n: int, seed: int) -> Rows:
    """Return ``n`` rows of a page set, or all if there are fewer.

    Stages are taken in turn as long as they have pages left, and within a stage the recordings are
    taken in turn. Any leading part of the result is as evenly spread.
    """
    rows = np.random.default_rng(seed).permutation(pageset.rows)
    stage = pageset.index.label[rows].astype(np.int64)
    recording = pageset.index.recording[rows].astype(np.int64)
    of_both = recording * (stage.max() + 1) + stage
    rows, stage = (values[np.argsort(_earlier(of_both), kind="stable")] for values in (rows, stage))
    return rows[np.lexsort((stage, _earlier(stage)))][:n]


def _earlier(keys: Rows) -> Rows:
    """Return (n,) the number of earlier occurrences of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    place = np.arange(len(keys))
    starts = np.maximum.accumulate(np.where(np.diff(ordered, prepend=-1) != 0, place, 0))
    counts = np.empty(len(keys), np.int64)
    counts[order] = place - starts
    return counts
