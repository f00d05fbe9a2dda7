"""Cells: a page divided into lanes × time windows, the units of an explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.render import ground, layout
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals.epoching import PAGE_S

Pixels = npt.NDArray[np.uint8]
"""A picture, shape (height, width, 3)."""
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Units = npt.NDArray[np.intp]

Kind = TypeVar("Kind", bound=np.generic)

PATCH_PX = 14
"""Side of the patches in arXiv:2509.22810."""

WINDOWS_S = (1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 6.0, 7.5, 10.0, 15.0, 30.0)
"""Lengths that divide a page without a remainder."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The layout of cells on a recipe's pages. Cells cover the page without overlap.

    Parameters
    ----------
    recipe
        How the pages are drawn.
    window_s
        Length of a cell in seconds.
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
        """Return the grid of a recipe's pages.

        Raises
        ------
        BuildError
            If the windows do not divide a page evenly, or would be narrower than a pixel.
        """
        check_window(window_s)
        boxes = layout.boxes(recipe.style, recipe.montage)
        tops = np.array([*(box.top for box in boxes), recipe.style.height_px], np.intp)
        edges = np.arange(round(PAGE_S / window_s) + 1) * window_s / PAGE_S * recipe.style.width_px
        lefts = np.rint(edges).astype(np.intp)
        if (np.diff(lefts) < 1).any():
            raise BuildError(
                f"--window {window_s:g}: narrower than a pixel of style {recipe.style.name}; give a "
                "longer one"
            )
        return cls(recipe, window_s, tops, lefts)

    @property
    def lanes(self) -> tuple[str, ...]:
        """Names of the lanes, from top to bottom."""
        return tuple(lane.name for lane in self.recipe.montage.lanes)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of lanes and number of windows."""
        return len(self.tops) - 1, len(self.lefts) - 1

    @property
    def page(self) -> tuple[int, int]:
        """Height and width of a page in pixels."""
        return int(self.tops[-1]), int(self.lefts[-1])

    @property
    def units(self) -> Units:
        """(height, width) index of each pixel's cell, in row-major order of lanes and windows."""
        n_lanes, n_windows = self.shape
        return self.spread(np.arange(n_lanes * n_windows).reshape(n_lanes, n_windows))

    def ground(self, absent: Sequence[bool]) -> Pixels:
        """Return a page without signals: grid, guides and rules, with absent lanes hatched."""
        return ground.ground(self.recipe.style, self.recipe.montage, absent)

    def spread(self, cells: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
        """Expand (n_lanes, n_windows) values to (height, width) pixels."""
        return cells.repeat(np.diff(self.tops), axis=0).repeat(np.diff(self.lefts), axis=1)

    def total(self, pixels: npt.NDArray[np.generic]) -> Floats:
        """Sum (height, width) values by cell, giving (n_lanes, n_windows)."""
        rows = np.add.reduceat(np.asarray(pixels, np.float64), self.tops[:-1], axis=0)
        return np.asarray(np.add.reduceat(rows, self.lefts[:-1], axis=1))

    def lane(self, number: int) -> Mask:
        """Return the (height, width) mask of one lane."""
        rows = np.arange(len(self.tops) - 1) == number
        return np.asarray(self.spread(np.repeat(rows[:, None], self.shape[1], axis=1)), np.bool_)


def ink(pixels: Pixels, ground: Pixels) -> Mask:
    """Return the (height, width) mask of pixels that differ from the background."""
    return np.asarray((pixels != ground).any(axis=-1))


def mixed(pixels: Pixels, other: Pixels, where: Mask) -> Pixels:
    """Return a page that shows another page where the (height, width) mask is true."""
    result = pixels.copy()
    np.copyto(result, other, where=where[..., None])
    return result


def patches(height: int, width: int) -> Units:
    """Return (height, width) the index of each pixel's patch; edge patches may be smaller."""
    rows, columns = np.arange(height) // PATCH_PX, np.arange(width) // PATCH_PX
    return np.asarray(rows[:, None] * (columns[-1] + 1) + columns, np.intp)


def gathered(density: Floats, units: Units) -> Floats:
    """Return (height, width) the sum over each pixel's unit."""
    return np.asarray(np.bincount(units.ravel(), density.ravel())[units])


def by_second(density: Floats) -> Floats:
    """Sum (height, width) values by second of the page, (30,); border columns are split."""
    columns = np.concatenate([[0.0], density.sum(axis=0).cumsum()])
    seconds = np.linspace(0, density.shape[1], round(PAGE_S) + 1)
    return np.diff(np.interp(seconds, np.arange(len(columns)), columns))


def check_window(window_s: float) -> None:
    """Refuse window lengths that do not divide a page evenly.

    Raises
    ------
    BuildError
        If the length is not one of ``WINDOWS_S``.
    """
    if window_s not in WINDOWS_S:
        listed = ", ".join(f"{value:g}" for value in WINDOWS_S)
        raise BuildError(
            f"--window {window_s:g} does not divide a page of {PAGE_S:g} s; use {listed}"
        )
