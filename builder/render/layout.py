"""Layout: where the lanes, lines and marks of a page lie. Shared by both renderers, so that they
can differ in nothing but how a trace is drawn.
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
"""Traces keep this distance from their lane's edges, so that clipping stays inside the lane."""

MARK_PX = 3
"""Height of the bar at a lane's edge where a wave is clipped."""

LEAST_PX = 8
"""Least height of a lane: both marks, and a trace between them."""

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A lane's place on the page: rows ``top`` to ``bottom`` (exclusive), ink and scale."""

    top: int
    bottom: int
    ink: Colour
    style: LaneStyle

    @property
    def middle(self) -> float:
        """Row of 0 µV."""
        return (self.top + self.bottom) / 2

    def px_per_uv(self, scale_uv: float) -> float:
        """Rows per µV when the edges stand for ``scale_uv``."""
        return ((self.bottom - self.top) / 2 - INSET_PX) / scale_uv


def boxes(style: Style, montage: Montage) -> tuple[Box, ...]:
    """Place the lanes from top to bottom by weight.

    Raises
    ------
    BuildError
        If a lane gets too few pixels.
    """
    styles = [style.lane(lane.kind) for lane in montage.lanes]
    weights = np.cumsum([0.0, *(lane.weight for lane in styles)])
    edges = np.rint(weights / weights[-1] * style.height_px).astype(int)
    seen: dict[str, int] = {}
    found = []
    for i, (lane, lane_style) in enumerate(zip(montage.lanes, styles, strict=True)):
        top, bottom = int(edges[i]), int(edges[i + 1])
        if bottom - top < LEAST_PX:
            raise BuildError(
                f"style {style.name}: lane {lane.name} of montage {montage.name} would be "
                f"{bottom - top} px high, {LEAST_PX} is the least; raise height_px or its weight"
            )
        number = seen.get(lane.kind.value, 0)
        seen[lane.kind.value] = number + 1
        ink = lane_style.colours[min(number, len(lane_style.colours) - 1)]
        found.append(Box(top, bottom, colour(ink), lane_style))
    return tuple(found)


def background(style: Style, lanes: tuple[Box, ...], absent: tuple[bool, ...]) -> Image:
    """The page before any trace, shape (height, width, 3): grid, guides, rules, hatched lanes."""
    page = np.empty((style.height_px, style.width_px, 3), np.uint8)
    page[:] = colour(style.background)
    for box in lanes:
        guide_uv, px_per_uv = box.style.guide_uv, box.px_per_uv(box.style.scale_uv)
        # An amplitude has its place only where the scale is fixed, and within the lane.
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
    """An absent lane: diagonal lines on bare ground, which no signal and no flat line looks like."""
    rows, columns = np.mgrid[:height_px, : style.width_px]
    lane = np.empty((height_px, style.width_px, 3), np.uint8)
    lane[:] = colour(style.background)
    lane[(rows + columns) % 16 < 2] = colour(style.hatch)
    return lane
