"""Plotting: an empty matplotlib figure and its reproducible PNG, without pyplot's global state."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120

BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#8c5aa8"
"""A colour-blind-safe palette (Okabe and Ito 2008; the last one darkened for white paper)."""

LINE_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
"""The palette in the order in which the lines of a picture use it."""

LONGEST = 32
"""Maximum number of characters of a file name shown in a picture or a LaTeX table."""


def short(name: str) -> str:
    """Abbreviate a long name in the middle, as seeds and suffixes are at the end."""
    return name if len(name) <= LONGEST else f"{name[:16]}…{name[-15:]}"


def figure(
    width_in: float,
    height_in: float,
    dpi: int = DPI,
    layout: Literal["constrained"] | None = "constrained",
) -> Figure:
    """Return an empty figure, with constrained layout unless ``layout`` is None."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    new = Figure(figsize=(width_in, height_in), dpi=dpi, layout=layout)
    FigureCanvasAgg(new)
    return new


def load() -> None:
    """Load what drawing needs, which takes a second, in a thread beside other work."""
    png(figure(1, 1, 10))


def png(drawn: Figure) -> bytes:
    """Return a figure as PNG bytes, without the metadata that names the writing software."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
