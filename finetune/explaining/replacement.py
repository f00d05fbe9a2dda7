"""Replacement: the fills that replace a part of a page so that its information is removed.

By default, the same region of pages of the other stages, from the same recording where possible: the
picture resembles those that the model was trained on, and evidence by absence, such as a flat chin
EMG, is removed too. A blank region is unlike any training page: if the model associates little ink
with deep sleep, removing ink is evidence for deep sleep.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.explaining.cells import Pixels
from psgimg.finetune.explaining.margins import Case
from psgimg.finetune.lanes import pattern

FILLS = ("pages", "blank")

Fill = Callable[[Case, int, int], tuple[Pixels, ...]]
"""Returns the fills of a page, given the page, its row and the model's answer."""


def blank(case: Case, row: int, stage: int) -> tuple[Pixels, ...]:
    """Return the page's background: grid, guides and rules without signals."""
    return (case.ground,)


class Pages:
    """Fills a page with pages of the same split, one for each other scored stage."""

    def __init__(self, pageset: PageSet, seed: int) -> None:
        self._pages, self._seed = pageset, seed
        index = pageset.index
        self._absent = [pattern.absent(lanes) for lanes in index.lanes]

    def __call__(self, case: Case, row: int, stage: int) -> tuple[Pixels, ...]:
        """Return the fills of a page; its background if no page of another stage has its lanes."""
        rng = np.random.default_rng((self._seed, row))
        labels = self._pages.labels
        donors = [self._donor(row, other, rng) for other in np.unique(labels) if other != stage]
        rows = [donor for donor in donors if donor is not None]
        return tuple(map(np.asarray, self._pages.images(rows))) or blank(case, row, stage)

    def _donor(self, row: int, stage: int, rng: np.random.Generator) -> int | None:
        """Return a row of a stage, from the same recording or else from one with the same lanes."""
        index, rows = self._pages.index, self._pages.rows
        rows = rows[(index.label[rows] == stage) & (rows != row)]
        recording = index.recording[rows]
        own = rows[recording == index.recording[row]]
        if not len(own):
            absent = self._absent[index.recording[row]]
            own = rows[[self._absent[number] == absent for number in recording]]
        return int(rng.choice(own)) if len(own) else None
