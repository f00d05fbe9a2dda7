"""Layout: the positions of lanes, grid lines and clip marks on a page.

Both renderers share it, so that they differ only in how a trace is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.render.style import Colour, LaneStyle, Style, colour
from psgimg.builder.signals.epoching import PAGE_S

INSET_PX = 1.0
"""Distance of traces from the edges of their lane, so that clipped waves stay inside it."""

MARK_PX = 3
"""Height of the bar that marks a clipped wave at a lane's edge."""

LEAST_PX = 8
"""Minimum height of a lane: both clip marks, and a trace between them."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A lane's position on the page, rows ``top`` to ``bottom`` (exclusive), with ink and style."""

    top: int
    bottom: int
    ink: Colour
    style: LaneStyle

    @property
    def middle(self) -> float:
        """Row of 0 µV."""
        return (self.top + self.bottom) / 2

    def px_per_uv(self, scale_uv: float) -> float:
        """Return the rows per µV if the lane's edges are at ±``scale_uv``."""
        return ((self.bottom - self.top) / 2 - INSET_PX) / scale_uv


def boxes(style: Style, montage: Montage) -> tuple[Box, ...]:
    """Return the lanes' boxes from top to bottom, with heights in proportion to their weights.

    Raises
    ------
    BuildError
        If a lane would be too low.
    """
    styles = [style.lane(lane.kind) for lane in montage.lanes]
    weights = np.cumsum([0.0, *(lane.weight for lane in styles)])
    edges = np.rint(weights / weights[-1] * style.height_px).astype(int)
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
        placed.append(Box(top, bottom, colour(ink), lane_style))
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
    for step_s, ink in zip(style.grid_s, style.grid, strict=True):
        for onset_s in np.arange(step_s, PAGE_S, step_s):
            page[:, floor(onset_s / PAGE_S * style.width_px)] = colour(ink)
    for box, gone in zip(lanes, absent, strict=True):
        if gone:
            page[box.top : box.bottom] = _hatched(style, box.bottom - box.top)
    if style.rule:
        for box in lanes[1:]:
            page[box.top] = colour(style.rule)
    return page


def _hatched(style: Style, height_px: int) -> Image:
    """Return an absent lane: diagonal hatching, which can't be mistaken for a signal."""
    rows, columns = np.mgrid[:height_px, : style.width_px]
    lane = np.empty((height_px, style.width_px, 3), np.uint8)
    lane[:] = colour(style.background)
    lane[(rows + columns) % 16 < 2] = colour(style.hatch)
    return lane
