"""Augmentation: pages shown mirrored or shifted in time, anew in each training pass, by seed alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageOps
from psgimg.builder.dataset.prompts import Prompt
from psgimg.finetune.data.page_set import PageSet
from transformers import TrainerCallback

if TYPE_CHECKING:
    import datasets

SECONDS = 30
"""A page is shifted by whole seconds, so that the line of each second comes to lie on another's."""


class Augmented(TrainerCallback):  # type: ignore[misc]
    """Rows to learn from, changed by chance.

    What a row becomes depends on seed, training pass and place in the pass, on nothing that went
    before: a run that was interrupted goes on with the pages it would have seen.

    Parameters
    ----------
    draw
        Number of a training pass → (n,) int64, the rows of ``pages`` that it shows.
    how
        ``flip`` mirrors every other page in time; ``shift`` moves the page in time, what leaves at
        one edge comes in at the other.
    """

    def __init__(
        self,
        pages: PageSet,
        draw: Callable[[int], npt.NDArray[np.int64]],
        prompt: Prompt,
        context: int,
        how: str,
        seed: int,
    ) -> None:
        self._pages, self._draw, self._rows = pages, draw, draw(0)
        self._prompt, self._context = prompt, context
        self._how, self._seed, self._pass = how, seed, 0

    def shown(self, n_passes: int) -> npt.NDArray[np.int64]:
        """Rows that so many passes show, each once."""
        return np.unique(np.concatenate([self._draw(i) for i in range(max(n_passes, 1))]))

    def dataset(self) -> datasets.Dataset:
        """As :meth:`psgimg.finetune.data.page_set.PageSet.chat` gives it."""
        from datasets import Dataset

        return Dataset.from_dict({"images": range(len(self._rows))}).with_transform(self.chat)

    def chat(self, batch: Mapping[str, list[int]]) -> dict[str, list[Any]]:
        """Chat rows of some places in the pass."""
        places = list(batch["images"])
        rows = self._pages.chat_rows(self._rows[places].tolist(), self._prompt, self._context)
        return {
            "images": [
                [self._changed(image, place) for image in row["images"]]
                for row, place in zip(rows, places, strict=True)
            ],
            "prompt": [row["prompt"] for row in rows],
            "completion": [row["completion"] for row in rows],
        }

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The trainer begins another pass."""
        self._pass = int((state.epoch or 0.0) + 1e-6)  # counted in fractions of steps
        self._rows = self._draw(self._pass)

    def _changed(self, image: Image.Image, place: int) -> Image.Image:
        rng = np.random.default_rng((self._seed, self._pass, place))
        flip, shift_s = rng.random() < 0.5, int(rng.integers(SECONDS))
        if "flip" in self._how and flip:
            image = ImageOps.mirror(image)
        if "shift" in self._how:
            image = ImageChops.offset(image, round(shift_s * image.width / SECONDS), 0)
        return image
