"""Margins: a model's answer probabilities for a page and for changed versions of its picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.data.page_set import Page, PageSet
from psgimg.finetune.explaining import cells
from psgimg.finetune.explaining.cells import Floats, Grid, Mask, Pixels
from psgimg.finetune.inference.predict_config import Question
from psgimg.finetune.inference.preparing import ahead, batches

if TYPE_CHECKING:
    from psgimg.finetune.inference.likelihood import Scorer


@dataclass(frozen=True, eq=False)
class Case:
    """A page to explain, as presented to the model.

    Parameters
    ----------
    page
        Identity and scored stage of the page.
    lanes
        Derivations drawn; None for an absent lane.
    chat
        The prompt with its pictures.
    place, left_px
        Index of the picture that has the page, and how far the page is from its left; neighbours, in
        this picture or others, are left unchanged.
    pixels, ground : (height, width, 3) uint8
        The page, and its background without signals.
    fills
        Pages of the same shape, from which parts of this page are replaced.
    """

    page: Page
    lanes: tuple[str | None, ...]
    chat: ChatRow
    place: int
    pixels: Pixels
    ground: Pixels
    fills: tuple[Pixels, ...] = ()
    left_px: int = 0

    @property
    def ink(self) -> Mask:
        """(height, width) mask of pixels that differ from the background."""
        return cells.ink(self.pixels, self.ground)

    def chat_with(self, pixels: Pixels) -> ChatRow:
        """Return the same prompt with a changed page."""
        images = list(self.chat["images"])
        picture = images[self.place].copy()
        picture.paste(Image.fromarray(pixels), (self.left_px, 0))
        images[self.place] = picture
        return ChatRow(
            images=images, prompt=self.chat["prompt"], completion=self.chat["completion"]
        )


def cases(pageset: PageSet, rows: Sequence[int], query: Question, grid: Grid) -> Iterator[Case]:
    """Yield the pages of some rows.

    Raises
    ------
    BuildError
        If the size of a picture differs from the dataset's recipe.
    """
    for row in rows:
        drawn = pageset.lanes(row)
        [alone] = pageset.images([row])
        pixels = np.asarray(alone)
        page = pageset.page(row)
        if pixels.shape[:2] != grid.page:
            raise BuildError(
                f"{pageset.source}: the picture of {page.recording}, epoch {page.epoch} has "
                f"{pixels.shape[1]}x{pixels.shape[0]} px, but its recipe specifies {grid.page[1]}x"
                f"{grid.page[0]}; build the dataset again"
            )
        [chat] = pageset.chat_rows([row], query.prompt, query.context)
        before, _ = pageset.neighbours(row, query.context.pages)
        n_before = sum(neighbour is not None for neighbour in before)
        place, left_px = query.context.place(n_before, alone.width)
        ground = grid.ground([name is None for name in drawn])
        yield Case(page, drawn, chat, place, pixels, ground, left_px=left_px)


class PageScorer:
    """Scores the five answers of a model for changed pictures of a page, one batch at a time."""

    def __init__(self, scorer: Scorer, batch_size: int) -> None:
        self._scorer, self.batch_size = scorer, batch_size

    def __call__(self, case: Case, pictures: Iterable[Pixels]) -> Floats:
        """Return (n, 5) log-probabilities; the next batch is prepared while the model runs."""
        prepared = (
            self._scorer.prepare([case.chat_with(pixels) for pixels in batch])
            for batch in batches(pictures, self.batch_size)
        )
        return np.concatenate(
            [np.empty((0, 5)), *(self._scorer.score(batch).log_probs for batch in ahead(prepared))]
        )


def margin(log_probs: Floats, stage: int) -> Floats:
    """Return (n,) log-probabilities of a stage minus those of the best other stage, from (n, 5)."""
    others = np.delete(log_probs, stage, axis=1)
    return np.asarray(log_probs[:, stage] - others.max(axis=1))
