"""Augmentation: training pages mirrored, shifted, with fewer lanes or of other signals, by the seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageOps
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.render.ground import spills
from psgimg.builder.render.recipe import Recipe
from psgimg.finetune.data.context import Context
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.soft_labels import Draws, SoftLabels
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.cover import Cover
from psgimg.finetune.lanes.pattern import Absent, Drawn
from psgimg.finetune.lanes.seen import LanesSeen
from transformers import TrainerCallback

if TYPE_CHECKING:
    import datasets

SECONDS = 30
"""Pages are shifted by whole seconds, which keeps the lines that mark seconds in place."""

NONE, FLIP, SHIFT, LANES = "none", "flip", "shift", "lanes"
WAYS = (FLIP, SHIFT, LANES)

CONTEXT_DRAW, LOOK_DRAW = 101, 102
"""Distinguish the random numbers of context lengths and of variants from those of augmentation."""


def ways(how: str) -> frozenset[str]:
    """Return the ways of augmentation in a list such as ``flip,shift``; ``none`` is no way.

    Raises
    ------
    BuildError
        If one is unknown, or named twice.
    """
    named = [way.strip() for way in how.split(",")]
    if named == [NONE]:
        return frozenset()
    if len(set(named)) < len(named) or not set(named) <= set(WAYS):
        raise BuildError(
            f"--augment {how}: use {NONE}, or one or more of {', '.join(WAYS)}, joined by commas"
        )
    return frozenset(named)


class Augmented(TrainerCallback):  # type: ignore[misc]
    """Training rows with random augmentation, each a page as recorded or a variant of it.

    The augmentation of a row depends only on the seed, the training pass and the position in the
    pass, so that a resumed run sees the same pages as an uninterrupted one. A page and its neighbours
    are augmented alike.

    Parameters
    ----------
    looks
        The pages with their variants, one of which is drawn before all else.
    draw
        Maps the number of a training pass to its rows of the pages, (n,) int64.
    mixed
        Show half of the rows with fewer neighbours than there are, any number on either side, as at
        the edges of a night; which ones depends on the same as the augmentation.
    how
        ``flip`` mirrors a page in time with probability 0.5; ``shift`` shifts it cyclically in time;
        ``lanes`` leaves lanes out (:func:`psgimg.finetune.lanes.pattern.chosen`). Absent lanes are
        drawn last, so that their hatching is that of the renderer, neither mirrored nor shifted.
    soft
        The scorers of the pages, to learn from all of them; None: from the labels.

    Raises
    ------
    BuildError
        If lanes are to be left out of pages on which waves extend into neighbouring lanes.
    """

    def __init__(
        self,
        looks: Looks,
        draw: Callable[[int], npt.NDArray[np.int64]],
        prompt: Prompt,
        context: Context,
        how: str,
        seed: int,
        soft: SoftLabels | None = None,
        *,
        mixed: bool = False,
    ) -> None:
        self._soft = soft
        self.looks, self._pages = looks, looks.sets[0]
        self._draw, self._rows = draw, draw(0)
        self._prompt, self._context, self._mixed = prompt, context, mixed
        self._ways, self._seed, self._pass = ways(how), seed, 0
        self._cover = _cover(self._pages, self._ways)

    def shown(self, n_passes: int) -> npt.NDArray[np.int64]:
        """Return the distinct rows shown in the first ``n_passes`` passes."""
        return np.unique(np.concatenate([self._draw(i) for i in range(max(n_passes, 1))]))

    def scorers(self) -> dict[str, int]:
        """Return how many pages several people scored, if all of these are learned from."""
        return {} if self._soft is None else self._soft.counts(self._pages.rows)

    def lanes_shown(self, passes: float) -> LanesSeen:
        """Return which lanes were absent in some passes, the last of which may be a fraction."""
        counts: defaultdict[tuple[Drawn, Absent], float] = defaultdict(float)
        index = self._pages.index
        number = 0
        while passes - number > 1e-6:
            rows, share = self._draw(number), min(1.0, passes - number)
            if LANES in self._ways:
                both = Counter(
                    (int(index.recording[row]), self._left_out(int(row), number, position))
                    for position, row in enumerate(rows)
                )
            else:
                n_lanes = len(index.lanes[0])
                times = np.bincount(index.recording[rows], minlength=len(index.lanes)).tolist()
                both = Counter({(i, (False,) * n_lanes): n for i, n in enumerate(times)})
            for (recording, left_out), n in both.items():
                counts[index.lanes[recording], left_out] += n * share
            number += 1
        lanes = self._pages.build["recipe"]["montage"]["lanes"]
        return LanesSeen.of([lane["name"] for lane in lanes], counts)

    def dataset(self) -> datasets.Dataset:
        """Return a dataset like that of :meth:`psgimg.finetune.data.page_set.PageSet.chat`."""
        from datasets import Dataset

        return Dataset.from_dict({"images": np.arange(len(self._rows))}).with_transform(self.chat)

    def chat(self, batch: Mapping[str, list[int]]) -> dict[str, list[Any]]:
        """Return the augmented chat rows at some positions in the pass."""
        positions = list(batch["images"])
        numbers = self._rows[positions].tolist()
        rows = self.looks.chat_rows(
            numbers,
            [self._look(*one) for one in zip(numbers, positions, strict=True)],
            self._prompt,
            self._context,
            [self._at_most(position) for position in positions],
            lambda i, pages: self._augmented(pages, numbers[i], positions[i]),
        )
        chat: dict[str, list[Any]] = {
            "images": [row["images"] for row in rows],
            "prompt": [row["prompt"] for row in rows],
            "completion": [row["completion"] for row in rows],
        }
        if self._soft is None:
            return chat
        draws = Draws(self._seed, self._pass, positions)
        return self._soft.added(chat, numbers, self._prompt, draws)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Draw the rows of the pass that the trainer begins."""
        self._pass = int((state.epoch or 0.0) + 1e-6)  # a float that may be just below an integer
        self._rows = self._draw(self._pass)

    def _look(self, row: int, position: int) -> int:
        """Return which of the pictures of a row is shown at a position of the pass."""
        rng = np.random.default_rng((self._seed, self._pass, position, LOOK_DRAW))
        return self.looks.chosen(row, rng)

    def _at_most(self, position: int) -> tuple[int, int]:
        """Return the most neighbours shown before and after the page at a position of the pass."""
        k = self._context.pages
        rng = np.random.default_rng((self._seed, self._pass, position, CONTEXT_DRAW))
        if not self._mixed or rng.random() < 0.5:
            return k, k
        before, after = rng.integers(k + 1, size=2).tolist()
        return before, after

    def _augmented(self, images: list[Image.Image], row: int, position: int) -> list[Image.Image]:
        rng = np.random.default_rng((self._seed, self._pass, position))
        flip, shift_s = rng.random() < 0.5, int(rng.integers(SECONDS))
        if FLIP in self._ways and flip:
            images = [ImageOps.mirror(image) for image in images]
        if SHIFT in self._ways:
            images = [
                ImageChops.offset(image, round(shift_s * image.width / SECONDS), 0)
                for image in images
            ]
        if self._cover is None:
            return images
        left = pattern.without(self._pages.lanes(row), self._left_out(row, self._pass, position))
        return self._cover.all_over(images, pattern.absent(left))

    def _left_out(self, row: int, number: int, position: int) -> Absent:
        """Return which lanes are left out at a position of a training pass."""
        drawn = self._pages.lanes(row)
        if self._cover is None or LANES not in self._ways:
            return (False,) * len(drawn)
        rng = np.random.default_rng((self._seed, number, position, WAYS.index(LANES)))
        return pattern.chosen(drawn, self._cover.eeg, rng)


def _cover(pages: PageSet, asked: frozenset[str]) -> Cover | None:
    """Return what draws absent lanes: those left out, and those whose hatching was moved."""
    recipe = pages.build["recipe"]
    if LANES in asked:
        return Cover.of(recipe, "--augment lanes")
    moved = asked and any(None in drawn for drawn in pages.index.lanes)
    # Waves over the hatching of an absent lane can't be told from it: there it moves with the page.
    return None if not moved or spills(Recipe.from_dict(recipe).style) else Cover.of(recipe, "")
