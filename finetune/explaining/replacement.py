"""Fills: what a part of a page is replaced by, so that what it said is gone.

By default the same place of pages of the other stages, of the same recording where it has them: the
picture remains one that the model may have met, and what speaks by being absent, such as a flat
chin, can be taken away too. An empty place is what no model has seen: where little ink means deep
sleep to it, taking ink away speaks for deep sleep.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.explaining import page_selection
from psgimg.finetune.explaining.cells import Pixels
from psgimg.finetune.explaining.margins import Case

FILLS = ("pages", "blank")

Fill = Callable[[Case, int, int], tuple[Pixels, ...]]
"""What a page is filled with, given its row and the stage that the model answers."""


def blank(case: Case, row: int, stage: int) -> tuple[Pixels, ...]:
    """The page's ground: grid, guides and rules stay, the ink goes."""
    return (case.ground,)


class Pages:
    """Pages of a split that other pages are filled with, one for each other stage by the scorer."""

    def __init__(self, pageset: PageSet, seed: int) -> None:
        self._pages, self._seed = pageset, seed
        index = pageset.index
        starts = np.searchsorted(index.recording, np.arange(len(index.recordings))).tolist()
        drawn = page_selection.lanes(pageset, starts)
        self._absent = [tuple(name is None for name in lanes) for lanes in drawn]

    def __call__(self, case: Case, row: int, stage: int) -> tuple[Pixels, ...]:
        """The fills of a page; its ground where no page of another stage has the same lanes."""
        rng = np.random.default_rng((self._seed, row))
        labels = self._pages.labels
        found = [self._one(row, other, rng) for other in np.unique(labels) if other != stage]
        rows = [donor for donor in found if donor is not None]
        return tuple(map(np.asarray, self._pages.images(rows))) or blank(case, row, stage)

    def _one(self, row: int, stage: int, rng: np.random.Generator) -> int | None:
        """A row of a stage: of the same recording, or else of one with the same lanes."""
        index, rows = self._pages.index, self._pages.rows
        rows = rows[(index.label[rows] == stage) & (rows != row)]
        recording = index.recording[rows]
        own = rows[recording == index.recording[row]]
        if not len(own):
            absent = self._absent[index.recording[row]]
            own = rows[[self._absent[number] == absent for number in recording]]
        return int(rng.choice(own)) if len(own) else None
