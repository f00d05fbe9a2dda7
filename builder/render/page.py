"""Page: draw the samples of a page as a picture.

The compiled rasteriser draws datasets, unless the style asks for matplotlib's Agg backend, to measure
whether that matters; ``draw_reference`` draws the same page with Agg many times finer, for tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.render import layout, png, raster
from psgimg.builder.render.layout import Box, Image
from psgimg.builder.render.style import Style, colour

if TYPE_CHECKING:
    from matplotlib.patches import PathPatch

Samples = npt.NDArray[np.float32]
Columns = npt.NDArray[np.intp]

REFERENCE_SCALE = 4
"""Supersampling of the reference: Agg adds up the coverage of overlapping strokes, which darkens the
edges of dense traces; at four times the size, the effect is negligible."""

NOWHERE = np.empty(0, np.intp)


class Trace(NamedTuple):
    """A lane's samples as rows of the page.

    Parameters
    ----------
    rows : (n_samples,) float32
        Row of the page at each sample.
    band
        Whether the area between the trace and its mirror image about the lane's middle is filled.
    above, below
        Pixel columns where the wave is clipped at the lane's upper and lower edge.
    """

    box: Box
    rows: Samples
    band: bool
    above: Columns
    below: Columns


class Page:
    """Renderer of the pages of one recording, which share lanes, style and background.

    Parameters
    ----------
    absent, envelopes
        For each lane, whether it is missing, and whether it is an EMG level instead of a waveform.

    Attributes
    ----------
    clipped
        For each lane, the number of pages drawn so far on which it is clipped.
    """

    def __init__(
        self, style: Style, montage: Montage, absent: Sequence[bool], envelopes: Sequence[bool]
    ) -> None:
        self.style = style
        self.absent = tuple(absent)
        self.envelopes = tuple(envelopes)
        self.boxes = layout.boxes(style, montage)
        background = layout.background(style, self.boxes, self.absent)
        self._background = png.page_of(background[:, :, :1] if style.grey else background)
        # One buffer for all pages: allocating one per page costs more than copying the background.
        self._page = np.empty_like(self._background)
        self._scanlines = png.scanlines(self._page)
        self._inks = [self._ink(box.ink) for box in self.boxes]
        self._clip_mark = self._ink(colour(style.clip_mark))
        self._brush = raster.Brush(style.width_px, style.height_px, style.line_px)
        self._veiled, self._keep, self._add = self._veil()
        self.clipped = [0] * len(self.boxes)

    def png(self, data_uv: Samples) -> bytes:
        """Return the PNG file of a page; ``data_uv`` : (n_lanes, n_samples) float32, in µV."""
        return png.encode(self._draw(data_uv), self._scanlines)

    def draw(self, data_uv: Samples) -> Image:
        """Return a page's pixels, shape (height, width, 1 or 3); 16 levels if the style is grey."""
        return png.image_of(self._draw(data_uv))

    def _draw(self, data_uv: Samples) -> raster.Bytes:
        if self.style.renderer == "matplotlib":
            np.copyto(self._page, self._by_agg(data_uv, scale=1))
            return self._page
        page = self._page
        np.copyto(page, self._background)
        for lane, trace in self._traces(data_uv):
            ink = self._inks[lane]
            if trace.band:
                self._brush.band(page, trace.rows, trace.box.middle, ink)
            else:
                self._brush.line(page, trace.rows, ink)
            self._mark(page, trace)
        self._lay_veil(page)
        return page

    def draw_reference(self, data_uv: Samples) -> Image:
        """Draw the same page with matplotlib's Agg backend, supersampled; slow."""
        return png.image_of(self._by_agg(data_uv, REFERENCE_SCALE))

    def _by_agg(self, data_uv: Samples, scale: int) -> raster.Bytes:
        """Draw a page with matplotlib at ``scale`` times its size, and reduce it to its size."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        k, dpi = scale, 72  # one point is one pixel
        width, height = self.style.width_px, self.style.height_px
        figure = Figure(figsize=(k * width / dpi, k * height / dpi), dpi=dpi)
        canvas: Any = FigureCanvasAgg(figure)  # its methods are untyped
        ground = png.image_of(self._background).repeat(k, axis=0).repeat(k, axis=1)
        figure.figimage(np.broadcast_to(ground, (*ground.shape[:2], 3)), resize=False)
        traces = [trace for _, trace in self._traces(data_uv)]
        for trace in traces:
            figure.add_artist(self._patch(trace, k))
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[:, :, : ground.shape[2]]
        mean = drawn.reshape(height, k, width, k, -1).mean(axis=(1, 3))
        page = png.page_of(np.rint(mean).astype(np.uint8))
        for trace in traces:
            self._mark(page, trace)
        self._lay_veil(page)
        return page

    def _veil(self) -> tuple[Columns, Samples, Samples]:
        """Return the pixels under lines over the traces, and what these keep and add of each."""
        over = layout.veil(self.style, self.boxes)
        keep = over.keep.copy()
        for box, gone in zip(self.boxes, self.absent, strict=True):
            if gone:  # already on the background
                keep[box.top : box.bottom] = 1
        veiled = np.flatnonzero(keep != 1)
        n_channels = len(self._background)
        add = over.add.reshape(-1, 3)[veiled, :n_channels].T
        return (
            veiled,
            keep.ravel()[veiled],
            add / np.float32(png.GREY_STEP if n_channels == 1 else 1),
        )

    def _lay_veil(self, page: raster.Bytes) -> None:
        if self._veiled.size:
            flat = page.reshape(len(page), -1)  # a view: pages are contiguous
            flat[:, self._veiled] = np.rint(flat[:, self._veiled] * self._keep + self._add)

    def _patch(self, trace: Trace, scale: int) -> PathPatch:
        """Return a matplotlib patch of a trace, in pixels from the lower left of the enlarged page."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path
        from matplotlib.transforms import IdentityTransform

        width, n = self.style.width_px, len(trace.rows)
        x = np.concatenate(([0.0], (np.arange(n) + 0.5) * width / n, [float(width)]))
        rows = np.pad(trace.rows, 1, mode="edge").astype(np.float64)
        if trace.band:
            x = np.concatenate((x, x[::-1]))
            rows = np.concatenate((rows, 2 * trace.box.middle - rows[::-1]))
        points = np.column_stack((x, self.style.height_px - rows)) * scale
        path = Path(points)
        path.should_simplify = False
        ink = tuple(value / 255 for value in trace.box.ink)
        return PathPatch(
            path,
            edgecolor=ink,
            facecolor=ink if trace.band else "none",
            linewidth=self.style.line_px * scale,
            joinstyle="round",
            snap=False,
            transform=IdentityTransform(),
        )

    def _ink(self, rgb: tuple[int, int, int]) -> raster.Bytes:
        """Return an ink as the values of the page's channels."""
        n_channels = len(self._background)
        return png.page_of(np.array(rgb[:n_channels], np.uint8).reshape(1, 1, -1)).ravel()

    def _traces(self, data_uv: Samples) -> Iterator[tuple[int, Trace]]:
        """Yield the traces of the lanes that are present, each with the number of its lane."""
        low_uv, high_uv = data_uv.min(axis=1).tolist(), data_uv.max(axis=1).tolist()
        for i, box in enumerate(self.boxes):
            if not self.absent[i]:
                trace = self._trace(box, data_uv[i], low_uv[i], high_uv[i], self.envelopes[i])
                self.clipped[i] += bool(trace.above.size or trace.below.size)
                yield i, trace

    def _trace(
        self, box: Box, samples_uv: Samples, low_uv: float, high_uv: float, band: bool
    ) -> Trace:
        """Convert samples in µV to rows: the lane's middle is 0 µV, its style says which way is up."""
        if not isfinite(high_uv - low_uv):
            raise ValueError("a lane that is not absent has samples that are not finite")
        centre_uv = 0.0
        scale_uv = self.style.envelope_uv if band else box.style.scale_uv
        if self.style.scaling == "epoch":
            centre_uv = 0.0 if band else (low_uv + high_uv) / 2
            scale_uv = (max(high_uv, -low_uv) if band else high_uv - centre_uv) or 1.0
        centred = samples_uv - np.float32(centre_uv) if centre_uv else samples_uv
        inverted = box.style.up == "negative" and not band
        px_per_uv = box.px_per_uv(scale_uv)
        rows = centred * np.float32(px_per_uv if inverted else -px_per_uv)
        rows += np.float32(box.middle)
        fits = self.style.scaling == "epoch" or max(high_uv, -low_uv) <= scale_uv
        if fits or not self.style.clip:
            return Trace(box, rows, band, NOWHERE, NOWHERE)
        limit = np.float32(box.px_per_uv(1.0))
        top, bottom = np.float32(box.middle) - limit, np.float32(box.middle) + limit
        above, below = self._columns(samples_uv > scale_uv), self._columns(samples_uv < -scale_uv)
        if inverted:
            above, below = below, above
        return Trace(box, np.clip(rows, top, bottom), band, above, above if band else below)

    def _columns(self, samples: npt.NDArray[np.bool_]) -> Columns:
        """Return the pixel columns that contain any of the selected samples."""
        columns = np.flatnonzero(samples) * self.style.width_px // len(samples)
        return columns[np.concatenate(([True], columns[1:] > columns[:-1]))[: len(columns)]]

    def _mark(self, page: raster.Bytes, trace: Trace) -> None:
        """Draw a bar at the lane's edge in each column where the wave is clipped."""
        top, bottom = trace.box.top, trace.box.bottom
        for columns, first in ((trace.above, top + 1), (trace.below, bottom - layout.MARK_PX)):
            if columns.size:
                page[:, first : first + layout.MARK_PX, columns] = self._clip_mark[:, None, None]
