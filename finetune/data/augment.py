"""Augmentation: training pages mirrored or shifted in time at random, reproducibly by the seed."""

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
"""Pages are shifted by whole seconds, which keeps the lines that mark seconds in place."""


class Augmented(TrainerCallback):  # type: ignore[misc]
    """Training rows with random augmentation.

    The augmentation of a row depends only on the seed, the training pass and the position in the
    pass, so that a resumed run sees the same pages as an uninterrupted one.

    Parameters
    ----------
    draw
        Maps the number of a training pass to its rows of ``pages``, (n,) int64.
    how
        ``flip`` mirrors a page in time with probability 0.5; ``shift`` shifts it cyclically in time.
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
        """Return the distinct rows shown in the first ``n_passes`` passes."""
        return np.unique(np.concatenate([self._draw(i) for i in range(max(n_passes, 1))]))

    def dataset(self) -> datasets.Dataset:
        """Return a dataset like that of :meth:`psgimg.finetune.data.page_set.PageSet.chat`."""
        from datasets import Dataset

        return Dataset.from_dict({"images": range(len(self._rows))}).with_transform(self.chat)

    def chat(self, batch: Mapping[str, list[int]]) -> dict[str, list[Any]]:
        """Return the augmented chat rows at some positions in the pass."""
        positions = list(batch["images"])
        rows = self._pages.chat_rows(self._rows[positions].tolist(), self._prompt, self._context)
        return {
            "images": [
                [self._augmented(image, position) for image in row["images"]]
                for row, position in zip(rows, positions, strict=True)
            ],
            "prompt": [row["prompt"] for row in rows],
            "completion": [row["completion"] for row in rows],
        }

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Draw the rows of the pass that the trainer begins."""
        self._pass = int((state.epoch or 0.0) + 1e-6)  # a float that may be just below an integer
        self._rows = self._draw(self._pass)

    def _augmented(self, image: Image.Image, position: int) -> Image.Image:
        rng = np.random.default_rng((self._seed, self._pass, position))
        flip, shift_s = rng.random() < 0.5, int(rng.integers(SECONDS))
        if "flip" in self._how and flip:
            image = ImageOps.mirror(image)
        if "shift" in self._how:
            image = ImageChops.offset(image, round(shift_s * image.width / SECONDS), 0)
        return image
