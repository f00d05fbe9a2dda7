"""Page selection: pages to explain, spread evenly over stages and recordings, and their lanes."""

from __future__ import annotations

from collections.abc import Sequence

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


def lanes(pageset: PageSet, rows: Sequence[int]) -> list[tuple[str | None, ...]]:
    """Return the derivations drawn on each row's page, from top to bottom; None if absent."""
    import pyarrow.parquet as pq

    derivations: dict[int, tuple[str | None, ...]] = {}
    first = 0
    for path, n_rows in pageset.source.shards:
        inside = [row for row in rows if first <= row < first + n_rows]
        if inside:
            with pq.ParquetFile(path) as file:
                column = file.read(columns=["lanes"])["lanes"]
            derivations |= {row: tuple(column[row - first].as_py()) for row in inside}
        first += n_rows
    return [derivations[row] for row in rows]


def _earlier(keys: Rows) -> Rows:
    """Return (n,) the number of earlier occurrences of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    place = np.arange(len(keys))
    starts = np.maximum.accumulate(np.where(np.diff(ordered, prepend=-1) != 0, place, 0))
    counts = np.empty(len(keys), np.int64)
    counts[order] = place - starts
    return counts
