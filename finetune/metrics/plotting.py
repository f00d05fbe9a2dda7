"""Figures: an empty matplotlib figure, and its PNG, the same bytes every time. No global state."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120

BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#8c5aa8"
"""Colours that most eyes tell apart (Okabe and Ito 2008, the last one darkened for white paper)."""

LINE_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
"""Those colours in the order in which the lines of a picture take them."""

LONGEST = 32
"""Letters of a file's name that a picture or a table of a paper has room for."""


def short(name: str) -> str:
    """A name with its middle left out if it is long; seeds and suffixes stand at the end."""
    return name if len(name) <= LONGEST else f"{name[:16]}…{name[-15:]}"


def figure(
    width_in: float,
    height_in: float,
    dpi: int = DPI,
    layout: Literal["constrained"] | None = "constrained",
) -> Figure:
    """An empty figure that finds room for its labels by itself, unless ``layout`` is None."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    new = Figure(figsize=(width_in, height_in), dpi=dpi, layout=layout)
    FigureCanvasAgg(new)
    return new


def png(drawn: Figure) -> bytes:
    """Its PNG file, without the name of what wrote it."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
