"""Choice: which pages are explained, spread evenly over stages and recordings; and their lanes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from psgimg.finetune.data.page_set import PageSet

Rows = npt.NDArray[np.int64]


def chosen(pageset: PageSet, n: int, seed: int) -> Rows:
    """``n`` rows, or all if there are fewer: from every stage as many as it has to give, and of
    each stage from every recording in turn. Any first part of them is as evenly spread.
    """
    rows = np.random.default_rng(seed).permutation(pageset.rows)
    stage = pageset.index.label[rows].astype(np.int64)
    recording = pageset.index.recording[rows].astype(np.int64)
    of_both = recording * (stage.max() + 1) + stage
    rows, stage = (values[np.argsort(_earlier(of_both), kind="stable")] for values in (rows, stage))
    return rows[np.lexsort((stage, _earlier(stage)))][:n]


def lanes(pageset: PageSet, rows: Sequence[int]) -> list[tuple[str | None, ...]]:
    """Derivations drawn on some rows' pages, from top to bottom; None for an absent lane."""
    import pyarrow.parquet as pq

    found: dict[int, tuple[str | None, ...]] = {}
    first = 0
    for path, n_rows in pageset.source.shards:
        inside = [row for row in rows if first <= row < first + n_rows]
        if inside:
            with pq.ParquetFile(path) as file:
                column = file.read(columns=["lanes"])["lanes"]
            found |= {row: tuple(column[row - first].as_py()) for row in inside}
        first += n_rows
    return [found[row] for row in rows]


def _earlier(keys: Rows) -> Rows:
    """How many of the same key stand before each, (n,)."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    place = np.arange(len(keys))
    starts = np.maximum.accumulate(np.where(np.diff(ordered, prepend=-1) != 0, place, 0))
    found = np.empty(len(keys), np.int64)
    found[order] = place - starts
    return found
