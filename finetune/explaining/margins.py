"""Asking: how sure a model is of its answer when the picture of a page is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.data.page_set import Page, PageSet
from psgimg.finetune.explaining import cells, page_selection
from psgimg.finetune.explaining.cells import Floats, Grid, Mask, Pixels
from psgimg.finetune.inference.predict_config import Question
from psgimg.finetune.inference.prefetch import ahead, batches

if TYPE_CHECKING:
    from psgimg.finetune.inference.likelihood import Scorer


@dataclass(frozen=True, eq=False)
class Case:
    """A page to explain, as the model is asked about it.

    Parameters
    ----------
    lanes
        Derivations drawn; None for an absent lane.
    chat, place
        The question with its pictures, and which of them is the page; the others are neighbours
        and stay as they are.
    pixels, ground : (height, width, 3) uint8
        The page, and what remains of it without ink.
    fills
        Pages of the same kind that show what a part of this one is replaced by.
    """

    page: Page
    lanes: tuple[str | None, ...]
    chat: ChatRow
    place: int
    pixels: Pixels
    ground: Pixels
    fills: tuple[Pixels, ...] = ()

    @property
    def ink(self) -> Mask:
        """(height, width) pixels that are not ground."""
        return cells.ink(self.pixels, self.ground)

    def asked(self, pixels: Pixels) -> ChatRow:
        """The same question about a changed page."""
        images = list(self.chat["images"])
        images[self.place] = Image.fromarray(pixels)
        return ChatRow(
            images=images, prompt=self.chat["prompt"], completion=self.chat["completion"]
        )


def cases(pageset: PageSet, rows: Sequence[int], asked: Question, grid: Grid) -> Iterator[Case]:
    """The pages of some rows, one after the other.

    Raises
    ------
    BuildError
        If a picture has another size than the dataset's recipe says.
    """
    for row, drawn in zip(rows, page_selection.lanes(pageset, rows), strict=True):
        [chat] = pageset.chat_rows([row], asked.prompt, asked.context)
        before, _ = pageset.neighbours(row, asked.context)
        place = sum(neighbour is not None for neighbour in before)
        pixels = np.asarray(chat["images"][place])
        page = pageset.page(row)
        if pixels.shape[:2] != grid.page:
            raise BuildError(
                f"{pageset.source}: the picture of {page.recording}, epoch {page.epoch} has "
                f"{pixels.shape[1]}x{pixels.shape[0]} px, its recipe says {grid.page[1]}x"
                f"{grid.page[0]}; build the dataset again"
            )
        ground = grid.ground([name is None for name in drawn])
        yield Case(page, drawn, chat, place, pixels, ground)


class Asking:
    """Asks a model about changed pictures of a page, a batch at a time."""

    def __init__(self, scorer: Scorer, batch_size: int) -> None:
        self._scorer, self.batch_size = scorer, batch_size

    def __call__(self, case: Case, pictures: Iterable[Pixels]) -> Floats:
        """(n, 5) log-probabilities of the five answers; the next batch is made meanwhile."""
        prepared = (
            self._scorer.prepare([case.asked(pixels) for pixels in batch])
            for batch in batches(pictures, self.batch_size)
        )
        return np.concatenate(
            [np.empty((0, 5)), *(self._scorer.score(batch).log_probs for batch in ahead(prepared))]
        )


def margin(log_probs: Floats, stage: int) -> Floats:
    """(n,) log-probability of a stage less that of the best other one, of (n, 5)."""
    others = np.delete(log_probs, stage, axis=1)
    return np.asarray(log_probs[:, stage] - others.max(axis=1))
