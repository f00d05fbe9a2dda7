"""Context: how many neighbours a page is shown with, and how: whole, or narrowed beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psgimg.builder.errors import BuildError
from psgimg.builder.words import counted

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_CONTEXT = 5
"""Maximum neighbours on either side. Eleven clinical pages are some 5,000 image tokens."""

WHOLE, NARROWEST = 1.0, 0.1
"""Bounds of a neighbour's width, relative to the page: as wide, in a picture of its own; and a tenth, on
which a second of a clinical page is 3 px wide."""

BAR_PX = 8
"""Width of the bar between two pages in one picture."""

BLUE, GREY = (0, 0, 255), (128, 128, 128)
"""Bars on both sides of the page to stage; and bars between neighbours, and the place of missing ones."""


@dataclass(frozen=True)
class Context:
    """The neighbours that a page is shown with.

    Parameters
    ----------
    pages
        Neighbours on either side, as far as they follow without a gap.
    scale
        Width of a neighbour relative to the page. With 1, each is a picture of its own. Below, they are
        narrowed in time, at the same height, and stand beside the page in one picture, whose size is
        the same for all pages: the place of a missing neighbour is grey.

    Raises
    ------
    BuildError
        If a number is out of bounds.
    """

    pages: int = 0
    scale: float = WHOLE

    def __post_init__(self) -> None:
        if not 0 <= self.pages <= MAX_CONTEXT:
            raise BuildError(
                f"context {self.pages}: must be the number of pages on either side, 0 to {MAX_CONTEXT}"
            )
        if not NARROWEST <= self.scale <= WHOLE:
            raise BuildError(
                f"context scale {self.scale:g}: must be a neighbour's width relative to the page, "
                f"{NARROWEST:g} to {WHOLE:g}"
            )

    @property
    def in_one_picture(self) -> bool:
        """Whether a page and its neighbours are one picture."""
        return self.pages > 0 and self.scale < WHOLE

    @property
    def words(self) -> str:
        """The context in words: ``2 pages on either side``."""
        pages = f"{counted(self.pages, 'page')} on either side"
        return f"{pages}, narrowed to {self.scale:g}" if self.in_one_picture else pages

    def width_px(self, page_px: int) -> int:
        """Return the width of the picture that has a page of some width."""
        return page_px + 2 * self.pages * self._slot_px(page_px) if self.in_one_picture else page_px

    def n_pixels(self, of_page: int, page_px: int) -> int:
        """Return the pixels of a picture on which the page has a number of pixels."""
        return of_page * self.width_px(page_px) // page_px

    def place(self, before: int, page_px: int) -> tuple[int, int]:
        """Return the number of the picture that has the page, and how far from its left, in px.

        Parameters
        ----------
        before
            Neighbours shown before it.
        page_px
            Width of the page.
        """
        if self.in_one_picture:
            return 0, self.pages * self._slot_px(page_px)
        return before, 0

    def pictures(self, pages: Sequence[Image], before: int) -> list[Image]:
        """Return the pictures in which some pages are shown.

        Parameters
        ----------
        pages
            RGB, of equal size, in order of time: ``before`` neighbours, the page, other neighbours.
        """
        if not self.in_one_picture:
            return list(pages)
        from PIL import Image

        page = pages[before]
        slot = self._slot_px(page.width)
        _, left = self.place(before, page.width)
        picture = Image.new("RGB", (self.width_px(page.width), page.height), GREY)
        picture.paste(page, (left, 0))
        for bar in (left - BAR_PX, left + page.width):
            picture.paste(BLUE, (bar, 0, bar + BAR_PX, page.height))
        for i, neighbour in enumerate(pages):
            if i < before:
                picture.paste(_narrowed(neighbour, slot - BAR_PX), (left - (before - i) * slot, 0))
            elif i > before:
                at = left + page.width + (i - before - 1) * slot + BAR_PX
                picture.paste(_narrowed(neighbour, slot - BAR_PX), (at, 0))
        return [picture]

    def _slot_px(self, page_px: int) -> int:
        """Return the width of a neighbour with the bar between it and the next page."""
        return max(round(self.scale * page_px), BAR_PX + 1)


ALONE = Context()
"""A page without neighbours."""


def _narrowed(page: Image, width_px: int) -> Image:
    """Return a page narrowed in time, with waves as high and as dark as on the page.

    Of the columns that become one, the ink is kept, not the mean: a steep wave, one column wide,
    would fade to the shade of the grid.
    """
    from PIL import Image

    pixels = np.asarray(page)
    starts = np.arange(width_px) * page.width // width_px
    is_paper_light = pixels[::8, ::8].mean() > 127
    ink = np.minimum if is_paper_light else np.maximum
    return Image.fromarray(ink.reduceat(pixels, starts, axis=1))
