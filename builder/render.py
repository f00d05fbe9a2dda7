"""Render: a page's samples to a picture. Two renderers behind one style: ``draw`` makes the
dataset, ``draw_reference`` says with matplotlib what the picture should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psgimg.builder import layout, png, raster
from psgimg.builder.layout import Box, Image
from psgimg.builder.montage import Montage
from psgimg.builder.style import Style, colour

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trace:
    """A lane's samples as rows of the page; a line has ``low`` equal to ``high``.

    ``above`` and ``below`` mark the pixel columns where the wave left its lane.
    """

    low: Samples
    high: Samples
    above: npt.NDArray[np.bool_]
    below: npt.NDArray[np.bool_]


class Page:
    """Draws the pages of one recording: same lanes, same style, one background.

    Parameters
    ----------
    absent, envelopes
        Per lane: whether it is missing, and whether it holds an EMG level instead of a waveform.
    """

    def __init__(
        self, style: Style, montage: Montage, absent: Sequence[bool], envelopes: Sequence[bool]
    ) -> None:
        self.style = style
        self.absent = tuple(absent)
        self.envelopes = tuple(envelopes)
        self.boxes = layout.boxes(style, montage)
        background = layout.background(style, self.boxes, self.absent)
        self._background = background[:, :, :1].copy() if style.grey else background
        n_slices = style.width_px * raster.SUB
        self._extents = np.empty((4, n_slices), np.float32)
        self._pen = raster.pen_halves(style.line_px)
        self._cover = np.zeros(style.height_px, np.float32)

    def png(self, data_uv: Samples) -> bytes:
        """PNG file of a page; ``data_uv`` : (n_lanes, n_samples) float32, in µV."""
        return png.encode(self._ink(data_uv))

    def draw(self, data_uv: Samples) -> Image:
        """Pixels of a page, shape (height, width, 1 or 3); in 16 levels if the style is grey."""
        return png.stored(self._ink(data_uv))

    def _ink(self, data_uv: Samples) -> Image:
        page = self._background.copy()
        top, bottom, pen_top, pen_bottom = self._extents
        for box, trace in self._traces(data_uv):
            ink = np.array(box.ink[: page.shape[2]], np.uint8)
            top.fill(np.inf)
            bottom.fill(-np.inf)
            raster.extend(trace.low, top, bottom)
            if trace.high is not trace.low:
                raster.extend(trace.high, top, bottom)
            raster.widen(top, bottom, self._pen, pen_top, pen_bottom)
            raster.fill(page, pen_top, pen_bottom, ink, self._cover)
            self._mark(page, box, trace)
        return page

    def draw_reference(self, data_uv: Samples) -> Image:
        """The same page by matplotlib's Agg, slowly."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
        from matplotlib.patches import Polygon
        from matplotlib.transforms import IdentityTransform

        width, height = self.style.width_px, self.style.height_px
        dpi = 72  # one point is one pixel
        figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
        canvas = FigureCanvasAgg(figure)
        figure.figimage(np.broadcast_to(self._background, (height, width, 3)), resize=False)
        for box, trace in self._traces(data_uv):
            n = len(trace.low)
            x = np.concatenate(([0.0], (np.arange(n) + 0.5) * width / n, [float(width)]))
            low, high = (height - np.pad(rows, 1, mode="edge") for rows in (trace.low, trace.high))
            pen = {
                "color": np.array(box.ink) / 255,
                "linewidth": self.style.line_px,
                "transform": IdentityTransform(),
                "snap": False,
            }
            for rows in (low,) if trace.low is trace.high else (low, high):
                line = Line2D(x, rows, solid_joinstyle="round", **pen)
                line.set_rasterized(False)
                figure.add_artist(line)
            if trace.low is not trace.high:
                corners = np.column_stack((np.r_[x, x[::-1]], np.r_[low, high[::-1]]))
                figure.add_artist(Polygon(corners, closed=True, **{**pen, "linewidth": 0}))
        canvas.draw()
        page = np.asarray(canvas.buffer_rgba())[:, :, : self._background.shape[2]].copy()
        for box, trace in self._traces(data_uv):
            self._mark(page, box, trace)
        return png.stored(page)

    def _traces(self, data_uv: Samples) -> list[tuple[Box, Trace]]:
        return [
            (box, self._trace(box, samples, envelope))
            for box, samples, gone, envelope in zip(
                self.boxes, data_uv, self.absent, self.envelopes, strict=True
            )
            if not gone
        ]

    def _trace(self, box: Box, samples_uv: Samples, envelope: bool) -> Trace:
        """Samples in µV to rows: up is positive, the lane's middle is 0 µV."""
        centre_uv = 0.0
        scale_uv = self.style.envelope_uv if envelope else box.style.scale_uv
        if self.style.scaling == "epoch":
            low_uv, high_uv = float(samples_uv.min()), float(samples_uv.max())
            centre_uv = 0.0 if envelope else (low_uv + high_uv) / 2
            scale_uv = (high_uv if envelope else (high_uv - low_uv) / 2) or 1.0
        rows = (samples_uv - np.float32(centre_uv)) * np.float32(-box.px_per_uv(scale_uv))
        mirrored = -rows if envelope else rows
        limit = np.float32(box.px_per_uv(1.0))
        above, below = self._columns(rows < -limit), self._columns(rows > limit)
        if self.style.clip:
            rows = np.clip(rows, -limit, limit)
            mirrored = np.clip(mirrored, -limit, limit) if envelope else rows
        middle = np.float32(box.middle)
        low = rows + middle
        return Trace(low, mirrored + middle if envelope else low, above, below)

    def _columns(self, samples: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Pixel columns that hold any of the given samples."""
        columns = np.zeros(self.style.width_px, np.bool_)
        places = np.flatnonzero(samples)
        columns[places * self.style.width_px // len(samples)] = True
        return columns

    def _mark(self, page: Image, box: Box, trace: Trace) -> None:
        """A bar at the lane's edge over each column where the wave was cut off."""
        if not self.style.clip:
            return
        ink = colour(self.style.clip_mark)[: page.shape[2]]
        page[box.top + 1 : box.top + 1 + layout.MARK_PX, trace.above] = ink
        page[box.bottom - layout.MARK_PX : box.bottom, trace.below] = ink
