"""Replacement: the fills that replace a part of a page so that its information is removed.

By default, the same region of pages of the other stages, from the same recording where possible: the
picture resembles those that the model was trained on, and evidence by absence, such as a flat chin
EMG, is removed too. A blank region is unlike any training page: if the model associates little ink
with deep sleep, removing ink is evidence for deep sleep.

An explanation is tested with another page than those that made it: with one of them, the test would
repeat the attribution's own measurements, whatever that page happens to show.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
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
        self._subjects = [(key.corpus, key.subject) for key in index.recordings]

    def __call__(self, case: Case, row: int, stage: int) -> tuple[Pixels, ...]:
        """Return the fills of a page; its background if no page of another stage has its lanes."""
        rows = self.donors(row, stage)
        return tuple(map(np.asarray, self._pages.images(rows))) or blank(case, row, stage)

    def tester(self, row: int, stage: int) -> Pixels | None:
        """Return the page that tests the explanation of a page; None if there is none to be had."""
        donor = self.test_donor(row, stage)
        return None if donor is None else np.asarray(self._pages.images([donor])[0])

    def donors(self, row: int, stage: int) -> list[int]:
        """Return a row of each other stage, from the same recording where possible."""
        rng = np.random.default_rng((self._seed, row))
        index, chosen = self._pages.index, []
        for other in self._others(stage):
            rows = self._like(row, other)
            own = rows[index.recording[rows] == index.recording[row]]
            if len(rows := own if len(own) else rows):
                chosen.append(int(rng.choice(rows)))
        return chosen

    def test_donor(self, row: int, stage: int) -> int | None:
        """Return a row of another stage that is not among :meth:`donors`; None if there is none.

        It is of another subject if possible, or else of another recording; over the pages, the other
        stages take turns.
        """
        rng = np.random.default_rng((self._seed, row, 1))
        recording, used = self._pages.index.recording, self.donors(row, stage)
        stages = np.roll(self._others(stage), -row).tolist()
        free = [rows[~np.isin(rows, used)] for rows in (self._like(row, s) for s in stages)]
        own, person = recording[row], self._subjects[recording[row]]
        strange = np.array([subject != person for subject in self._subjects])
        tiers = (
            [rows[strange[recording[rows]]] for rows in free],
            [rows[recording[rows] != own] for rows in free],
            free,
        )
        return next((int(rng.choice(rows)) for tier in tiers for rows in tier if len(rows)), None)

    def _others(self, stage: int) -> npt.NDArray[np.int8]:
        labels = np.unique(self._pages.labels)
        return np.asarray(labels[labels != stage], np.int8)

    def _like(self, row: int, stage: int) -> npt.NDArray[np.int64]:
        """Return the rows of a stage on which the same lanes were drawn as on a page, without it."""
        index, rows = self._pages.index, self._pages.rows
        rows = rows[(index.label[rows] == stage) & (rows != row)]
        absent = self._absent[index.recording[row]]
        alike = np.array([lanes == absent for lanes in self._absent])
        return np.asarray(rows[alike[index.recording[rows]]], np.int64)
