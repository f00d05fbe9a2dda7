"""Layout: the positions of lanes, grid lines and clip marks on a page.

Both renderers share it, so that they differ only in how a trace is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.render.style import Colour, LaneStyle, Style, colour
from psgimg.builder.signals.epoching import PAGE_S

INSET_PX = 1.0
"""Distance of clipped traces from the edges of their lane, so that they stay inside it."""

MARK_PX = 3
"""Height of the bar that marks a clipped wave at a lane's edge."""

LEAST_PX = 8
"""Minimum height of a lane: both clip marks, and a trace between them."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A lane's position on the page, rows ``top`` to ``bottom`` (exclusive), with ink and style.

    Parameters
    ----------
    middle
        Row of 0 µV.
    reach_px
        Rows from there to the amplitude at the lane's edge.
    """

    top: int
    bottom: int
    ink: Colour
    style: LaneStyle
    middle: float
    reach_px: float

    def px_per_uv(self, scale_uv: float) -> float:
        """Return the rows per µV if the lane's edges are at ±``scale_uv``."""
        return self.reach_px / scale_uv


def boxes(style: Style, montage: Montage) -> tuple[Box, ...]:
    """Return the lanes' boxes from top to bottom, with heights in proportion to their weights.

    Raises
    ------
    BuildError
        If a lane would be too low.
    """
    styles = [style.lane(lane.kind) for lane in montage.lanes]
    weights = np.cumsum([0.0, *(lane.weight for lane in styles)])
    exact = weights / weights[-1] * style.height_px
    edges = np.rint(exact)
    seen: dict[str, int] = {}
    placed = []
    for i, (lane, lane_style) in enumerate(zip(montage.lanes, styles, strict=True)):
        top, bottom = int(edges[i]), int(edges[i + 1])
        if bottom - top < LEAST_PX:
            raise BuildError(
                f"style {style.name}: lane {lane.name} of montage {montage.name} would be "
                f"{bottom - top} px high, the minimum is {LEAST_PX}; raise height_px or its weight"
            )
        number = seen.get(lane.kind.value, 0)
        seen[lane.kind.value] = number + 1
        ink = lane_style.colours[min(number, len(lane_style.colours) - 1)]
        first, last = map(float, (edges if style.clip else exact)[i : i + 2])
        reach_px = (last - first) / 2 - (INSET_PX if style.clip else 0)
        placed.append(Box(top, bottom, colour(ink), lane_style, (first + last) / 2, reach_px))
    return tuple(placed)


def background(style: Style, lanes: tuple[Box, ...], absent: tuple[bool, ...]) -> Image:
    """Return the page without traces, shape (height, width, 3): grid, guides, rules, hatching."""
    page = np.empty((style.height_px, style.width_px, 3), np.uint8)
    page[:] = colour(style.background)
    for box in lanes:
        guide_uv, px_per_uv = box.style.guide_uv, box.px_per_uv(box.style.scale_uv)
        # An amplitude has a fixed position only with a fixed scale, and must be within the lane.
        if style.scaling == "fixed" and 0 < guide_uv < box.style.scale_uv:
            for uv in (-guide_uv, guide_uv):
                page[floor(box.middle - uv * px_per_uv)] = colour(style.guide)
    if not style.grid_over:
        for step_s, ink in zip(style.grid_s, style.grid, strict=True):
            for onset_s in np.arange(step_s, PAGE_S, step_s):
                page[:, floor(onset_s / PAGE_S * style.width_px)] = colour(ink)
    for box, gone in zip(lanes, absent, strict=True):
        if gone:
            page[box.top : box.bottom] = hatched(style, box.bottom - box.top)
    if style.rule and not style.rule_over:
        for box in lanes[1:]:
            page[box.top] = colour(style.rule)
    over = veil(style, lanes)
    for box, gone in zip(lanes, absent, strict=True):
        if gone:  # no trace will come between
            rows = slice(box.top, box.bottom)
            page[rows] = np.rint(page[rows] * over.keep[rows, :, None] + over.add[rows])
    return page


class Veil(NamedTuple):
    """The lines over the traces: a page becomes ``page * keep + add``.

    Parameters
    ----------
    keep : (height, width) float32
    add : (height, width, 3) float32
    """

    keep: npt.NDArray[np.float32]
    add: npt.NDArray[np.float32]


def veil(style: Style, lanes: tuple[Box, ...]) -> Veil:
    """Return the lines that a style draws over the traces, on the pixel whose border is nearest.

    That is where matplotlib snaps them. Unlike lines beneath, those of several steps do not add up:
    where they coincide, the last one is drawn.
    """
    over = Veil(
        np.ones((style.height_px, style.width_px), np.float32),
        np.zeros((style.height_px, style.width_px, 3), np.float32),
    )
    columns: dict[int, tuple[str, float]] = {}
    for step_s, ink, opacity in zip(style.grid_s, style.grid, style.grid_over, strict=False):
        for onset_s in np.arange(step_s, PAGE_S, step_s):
            column = floor(onset_s / PAGE_S * style.width_px + 0.5)
            columns[min(column, style.width_px - 1)] = ink, opacity
    for column, (ink, opacity) in columns.items():
        _lay(over, (slice(None), column), ink, opacity)
    if style.rule and style.rule_over:
        for box in lanes[1:]:
            _lay(over, (box.top, slice(None)), style.rule, style.rule_over)
    return over


def _lay(over: Veil, where: tuple[slice | int, slice | int], ink: str, opacity: float) -> None:
    """Lay a line over those that are there."""
    over.keep[where] *= 1 - opacity
    over.add[where] *= 1 - opacity
    over.add[where] += np.array(colour(ink), np.float32) * np.float32(opacity)


def hatched(style: Style, height_px: int) -> Image:
    """Return an absent lane: diagonal hatching, which can't be mistaken for a signal."""
    rows, columns = np.mgrid[:height_px, : style.width_px]
    lane = np.empty((height_px, style.width_px, 3), np.uint8)
    lane[:] = colour(style.background)
    lane[(rows + columns) % 16 < 2] = colour(style.hatch)
    return lane
