"""Cells: a page cut into lane × time window, the units in which an explanation is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.render import layout, png
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals.epoching import PAGE_S

Pixels = npt.NDArray[np.uint8]
"""A picture, shape (height, width, 3)."""
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Units = npt.NDArray[np.intp]

Kind = TypeVar("Kind", bound=np.generic)

PATCH_PX = 14
"""Side of the patches of arXiv 2509.22810."""

WINDOWS_S = (1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 6.0, 7.5, 10.0, 15.0, 30.0)
"""Lengths that go into a page without a rest."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the cells of a recipe's pages lie. They cover the page, each pixel once.

    Parameters
    ----------
    recipe
        How the pages are drawn.
    window_s
        Length of a cell.
    tops : (n_lanes + 1,)
        First row of each lane, and the page's height.
    lefts : (n_windows + 1,)
        First column of each window, and the page's width.
    """

    recipe: Recipe
    window_s: float
    tops: Units
    lefts: Units

    @classmethod
    def of(cls, recipe: Recipe, window_s: float) -> Grid:
        """The cells of a recipe's pages.

        Raises
        ------
        BuildError
            If the windows do not fill a page, or would be narrower than a pixel.
        """
        check_window(window_s)
        boxes = layout.boxes(recipe.style, recipe.montage)
        tops = np.array([*(box.top for box in boxes), recipe.style.height_px], np.intp)
        edges = np.arange(round(PAGE_S / window_s) + 1) * window_s / PAGE_S * recipe.style.width_px
        lefts = np.rint(edges).astype(np.intp)
        if (np.diff(lefts) < 1).any():
            raise BuildError(
                f"--window {window_s:g}: narrower than a pixel of style {recipe.style.name}; give more"
            )
        return cls(recipe, window_s, tops, lefts)

    @property
    def lanes(self) -> tuple[str, ...]:
        """Names of the lanes, from top to bottom."""
        return tuple(lane.name for lane in self.recipe.montage.lanes)

    @property
    def shape(self) -> tuple[int, int]:
        """Lanes, windows."""
        return len(self.tops) - 1, len(self.lefts) - 1

    @property
    def page(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.tops[-1]), int(self.lefts[-1])

    @property
    def units(self) -> Units:
        """(height, width) number of each pixel's cell, lane after lane."""
        n_lanes, n_windows = self.shape
        return self.spread(np.arange(n_lanes * n_windows).reshape(n_lanes, n_windows))

    def ground(self, absent: Sequence[bool]) -> Pixels:
        """What remains of a page when all ink is gone: grid, guides and rules; absent lanes hatched."""
        style = self.recipe.style
        boxes = layout.boxes(style, self.recipe.montage)
        page = layout.background(style, boxes, tuple(absent))
        if style.grey:  # as pages are stored: in 16 greys
            page = png.image_of(png.page_of(page[:, :, :1]))
        return np.ascontiguousarray(np.broadcast_to(page, (*page.shape[:2], 3)))

    def spread(self, cells: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
        """(n_lanes, n_windows) values to (height, width) pixels."""
        return cells.repeat(np.diff(self.tops), axis=0).repeat(np.diff(self.lefts), axis=1)

    def total(self, pixels: npt.NDArray[np.generic]) -> Floats:
        """(height, width) values summed by cell, (n_lanes, n_windows)."""
        rows = np.add.reduceat(np.asarray(pixels, np.float64), self.tops[:-1], axis=0)
        return np.asarray(np.add.reduceat(rows, self.lefts[:-1], axis=1))

    def lane(self, number: int) -> Mask:
        """(height, width) pixels of one lane."""
        rows = np.arange(len(self.tops) - 1) == number
        return np.asarray(self.spread(np.repeat(rows[:, None], self.shape[1], axis=1)), np.bool_)


def ink(pixels: Pixels, ground: Pixels) -> Mask:
    """(height, width) pixels that differ from the ground."""
    return np.asarray((pixels != ground).any(axis=-1))


def mixed(pixels: Pixels, other: Pixels, where: Mask) -> Pixels:
    """A page that shows another where (height, width) ``where`` says so."""
    found = pixels.copy()
    np.copyto(found, other, where=where[..., None])
    return found


def patches(height: int, width: int) -> Units:
    """(height, width) number of each pixel's patch; the last of a row or column may be smaller."""
    rows, columns = np.arange(height) // PATCH_PX, np.arange(width) // PATCH_PX
    return np.asarray(rows[:, None] * (columns[-1] + 1) + columns, np.intp)


def gathered(density: Floats, units: Units) -> Floats:
    """(height, width) the sum over each pixel's unit."""
    return np.asarray(np.bincount(units.ravel(), density.ravel())[units])


def by_second(density: Floats) -> Floats:
    """(height, width) values summed by second of the page, (30,); columns on a border are shared."""
    columns = np.concatenate([[0.0], density.sum(axis=0).cumsum()])
    seconds = np.linspace(0, density.shape[1], round(PAGE_S) + 1)
    return np.diff(np.interp(seconds, np.arange(len(columns)), columns))


def check_window(window_s: float) -> None:
    """Refuse windows that leave a rest of the page."""
    if window_s not in WINDOWS_S:
        listed = ", ".join(f"{value:g}" for value in WINDOWS_S)
        raise BuildError(f"--window {window_s:g}: a page of {PAGE_S:g} s takes {listed}")
