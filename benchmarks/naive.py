"""Naive: the reference implementation of a page, a new matplotlib figure as written without psgimg."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.render import layout
from psgimg.builder.render.style import Style

PAGE_S = 30.0
DPI = 100


def page(style: Style, montage: Montage, data_uv: Any) -> bytes:
    """Return a page as PNG: one axes, a line per lane, the style's grid and guides, ``savefig``."""
    width, height = style.width_px, style.height_px
    points = 72 / DPI  # per pixel
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=style.background)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, PAGE_S)
    axes.set_ylim(height, 0)
    for step_s, ink in zip(style.grid_s, style.grid, strict=True):
        for onset_s in np.arange(step_s, PAGE_S, step_s):
            axes.axvline(onset_s, color=ink, linewidth=points)
    times_s = (np.arange(data_uv.shape[1]) + 0.5) * PAGE_S / data_uv.shape[1]
    for box, samples_uv in zip(layout.boxes(style, montage), data_uv, strict=True):
        px_per_uv = box.px_per_uv(box.style.scale_uv)
        rows = box.middle - samples_uv * px_per_uv
        if style.scaling == "epoch":
            low, high = rows.min(), rows.max()
            rows = np.interp(rows, (low, high), (box.top + 1, box.bottom - 1))
        elif box.style.guide_uv:
            for uv in (-box.style.guide_uv, box.style.guide_uv):
                axes.axhline(box.middle - uv * px_per_uv, color=style.guide, linewidth=points)
        if style.clip:
            rows = np.clip(rows, box.top + 1, box.bottom - 1)
        ink = tuple(value / 255 for value in box.ink)
        axes.plot(times_s, rows, color=ink, linewidth=style.line_px * points)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
