"""Rasteriser: draw traces with anti-aliasing, in compiled code.

Each pixel column is divided into slices. Within a slice, a trace covers one vertical extent; a round
pen widens it by the extents of neighbouring slices. The coverage of a pixel is the mean over its
slices: true area coverage for the cost of a running minimum and maximum. All arithmetic is in a
fixed order and without fused operations, so that the same input gives the same bytes everywhere.
"""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.compiled import compiled

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.uint32]
"""Unsigned, as an index that may be negative is checked at every use."""

SHADES = 15
"""Number of coverage steps: finer ones are invisible, and each costs bytes in the PNG file."""

SLICES = (4, 5, 6, 7, 8, 9)
"""Permitted slices per pixel column; the fewest with a pen within ``PEN_TOLERANCE_PX`` are used."""

PEN_TOLERANCE_PX = 0.05


class Brush:
    """A pen of one width for pages of one size, with its working memory.

    A page has shape (n_channels, height, width), uint8; an ink has one value per channel.
    """

    def __init__(self, width_px: int, height_px: int, line_px: float) -> None:
        slices, self._pen = _pen(line_px)
        reach = len(self._pen) - 1
        n_slices = width_px * slices
        self._shades_a_slice = SHADES / slices
        # Slices beyond the page's sides are empty extents that are never written.
        self._top = np.full(n_slices + 2 * reach, np.inf, np.float32)
        self._bottom = np.full(n_slices + 2 * reach, -np.inf, np.float32)
        self._inner_top = self._top[reach : reach + n_slices]
        self._inner_bottom = self._bottom[reach : reach + n_slices]
        self._pen_top, self._pen_bottom = np.empty((2, n_slices), np.float32)
        self._cover = np.zeros((height_px + 2, width_px), np.float32)
        self._ruler = _Ruler(1, n_slices)

    def line(self, page: Bytes, rows: Floats, ink: Bytes) -> None:
        """Draw a line through samples.

        Parameters
        ----------
        rows : (n_samples,) float32
            Row of the page at each sample, finite. Sample i is at (i + 0.5) / n_samples of the
            width; the line is straight between samples, and level before the first and after the
            last one.
        """
        low, high = self._extend(rows)
        self._lay(page, low, high, ink)

    def band(self, page: Bytes, rows: Floats, middle: float, ink: Bytes) -> None:
        """Fill the area between a line and its mirror image about the row ``middle``."""
        low, high = self._extend(rows)
        _mirror(self._inner_top, self._inner_bottom, middle)
        half = max(middle - low, high - middle)
        self._lay(page, middle - half, middle + half, ink)

    def _extend(self, rows: Floats) -> tuple[float, float]:
        """Compute the first and last row of the line in each slice; return those over all slices."""
        if len(rows) != self._ruler.n_samples:  # those of all pages of a recording are the same
            self._ruler = _Ruler(len(rows), len(self._inner_top))
        ruler = self._ruler
        return _extend(
            rows,
            ruler.begins,
            ruler.lefts,
            ruler.gaps,
            ruler.per_slice,
            self._inner_top,
            self._inner_bottom,
        )

    def _lay(self, page: Bytes, low: float, high: float, ink: Bytes) -> None:
        """Widen the extents, which span rows ``low`` to ``high``, by the pen and ink them."""
        height, radius = page.shape[1], float(self._pen[0])
        first, stop = floor(max(low - radius, 0)), ceil(min(high + radius, height))
        if first < stop:
            _widen(self._top, self._bottom, self._pen, self._pen_top, self._pen_bottom)
            _collect(self._pen_top, self._pen_bottom, first, stop, self._cover)
            _blend(page, first, stop, self._cover, self._shades_a_slice, ink)


class _Ruler:
    """Where samples lie among the slices of a page.

    Attributes
    ----------
    begins : (n_slices + 1,)
        First sample in each slice, or after it if it has none.
    lefts, gaps : (n_slices + 1,)
        Last sample before the left edge of each slice, and slices from there to the edge. Where none
        is before, the first one and 0.
    per_slice
        Samples per slice.
    """

    def __init__(self, n_samples: int, n_slices: int) -> None:
        self.n_samples = n_samples
        self.per_slice = n_samples / n_slices
        places = (np.arange(n_samples) + 0.5) * (n_slices / n_samples)
        slices = np.minimum(places.astype(np.int64), n_slices - 1)
        edges = np.arange(n_slices + 1)
        begins = np.searchsorted(slices, edges)
        lefts = np.maximum(begins - 1, 0)
        self.begins, self.lefts = begins.astype(np.uint32), lefts.astype(np.uint32)
        self.gaps = np.where(begins > 0, edges - places[lefts], 0).astype(np.float32)


def _pen(line_px: float) -> tuple[int, Floats]:
    """Return the slices per pixel column, and half heights of a round pen by slice from its centre.

    The pen is an odd number of slices wide; the number of slices per column is chosen so that this
    width is close to ``line_px``.
    """

    def odd(slices: int) -> int:
        return 2 * floor(line_px * slices / 2) + 1

    def misfit(slices: int) -> float:
        return max(round(abs(odd(slices) / slices - line_px), 6), PEN_TOLERANCE_PX)

    slices = min(SLICES, key=misfit)
    radius = line_px / 2
    reach = odd(slices) // 2
    halves = [sqrt(max(radius**2 - (k / slices) ** 2, 0.0)) for k in range(reach + 1)]
    return slices, np.array(halves, np.float32)


@compiled
def _extend(
    rows: Floats,
    begins: Indices,
    lefts: Indices,
    gaps: Floats,
    per_slice: float,
    top: Floats,
    bottom: Floats,
) -> tuple[float, float]:
    """Compute the extent of a line in each slice: its samples there, and its rows at the edges."""
    last = len(rows) - 1
    here = rows[0]
    lowest, highest = here, here
    for s in range(len(top)):
        left = lefts[s + 1]
        there = rows[left]
        if left < last:
            there += np.float32((rows[left + 1] - there) * per_slice) * gaps[s + 1]
        low, high = min(here, there), max(here, there)
        for i in range(begins[s], begins[s + 1]):
            low, high = min(low, rows[i]), max(high, rows[i])
        top[s], bottom[s] = low, high
        lowest, highest = min(lowest, low), max(highest, high)
        here = there
    return lowest, highest


@compiled
def _mirror(top: Floats, bottom: Floats, middle: float) -> None:
    """Extend each extent to include its mirror image."""
    for s in range(len(top)):
        half = max(middle - top[s], bottom[s] - middle)
        top[s], bottom[s] = middle - half, middle + half


@compiled
def _widen(top: Floats, bottom: Floats, pen: Floats, out_top: Floats, out_bottom: Floats) -> None:
    """Compute the extents of the pen along the line; ``top``, ``bottom`` are longer by its reach."""
    n, reach = len(out_top), len(pen) - 1
    for s in range(n):
        out_top[s] = top[reach + s] - pen[0]
        out_bottom[s] = bottom[reach + s] + pen[0]
    for k in range(1, reach + 1):
        left, right = top[reach - k :], top[reach + k :]
        for s in range(n):
            out_top[s] = min(out_top[s], min(left[s], right[s]) - pen[k])
        left, right = bottom[reach - k :], bottom[reach + k :]
        for s in range(n):
            out_bottom[s] = max(out_bottom[s], max(left[s], right[s]) + pen[k])


@compiled
def _collect(top: Floats, bottom: Floats, first: int, stop: int, cover: Floats) -> None:
    """Record changes of coverage, whose running sum down a column is the coverage.

    Parameters
    ----------
    cover : (at least stop - first + 2, width) float32
        Changes of coverage from row to row, in slices; zero on entry, row 0 is ``first``.
    """
    flat, width = cover.reshape(-1), np.uint64(cover.shape[1])  # an unsigned index needs no check
    offset, height = np.float32(first), np.float32(stop - first)
    one = np.float32(1.0)
    slices = len(top) // cover.shape[1]
    s = np.uint64(0)
    for x in range(width):
        for _ in range(slices):
            begin = max(top[s] - offset, np.float32(0.0))
            end = min(bottom[s] - offset, height)
            s += np.uint64(1)
            if not end > begin:
                continue
            r = np.int32(begin)
            below = begin - np.float32(r)
            at = np.uint64(r) * width + x
            flat[at] += one - below
            flat[at + width] += below
            r = np.int32(end)
            below = end - np.float32(r)
            at = np.uint64(r) * width + x
            flat[at] -= one - below
            flat[at + width] -= below


@compiled
def _blend(page: Bytes, first: int, stop: int, cover: Floats, shades: float, ink: Bytes) -> None:
    """Ink the rows ``first`` to ``stop`` and zero ``cover``; ``shades`` is the shade per slice."""
    n_channels, _, width = page.shape
    share = np.zeros(width, np.float32)
    shade = np.empty(width, np.uint16)
    half, full, rate = np.float32(0.5), np.uint16(SHADES), np.float32(shades)
    for r in range(first, stop):
        change = cover[r - first]
        for x in range(width):
            share[x] += change[x]
            change[x] = 0
            shade[x] = np.uint16(np.int32(share[x] * rate + half))
        for c in range(n_channels):
            line, value = page[c, r], np.uint16(ink[c])
            for x in range(width):
                ground = np.uint16(line[x]) * np.uint16(full - shade[x])
                line[x] = np.uint16(ground + value * shade[x] + full // np.uint16(2)) // full
    cover[stop - first : stop - first + 2] = 0


@compiled
def pack_grey(page: Bytes, out: Bytes) -> None:
    """Pack the rows of a grey page, two pixels per byte, each minus the row above.

    Parameters
    ----------
    page : (1, height, width) uint8
        Values 0 to 15.
    out : (height, 1 + ceil(width / 2)) uint8
        Scanlines of the PNG; the first byte of each is the filter, "up".
    """
    _, height, width = page.shape
    above = np.zeros(out.shape[1] - 1, np.uint8)
    for r in range(height):
        line, row = page[0, r], out[r, 1:]
        out[r, 0] = 2
        for i in range(width // 2):
            both = np.uint8(line[2 * i] << 4 | line[2 * i + 1])
            row[i] = both - above[i]
            above[i] = both
        if width % 2:
            last = np.uint8(line[width - 1] << 4)
            row[width // 2] = last - above[width // 2]
            above[width // 2] = last


@compiled
def pack_colour(page: Bytes, out: Bytes) -> None:
    """Pack the rows of a colour page, three bytes per pixel, each minus the row above.

    Parameters
    ----------
    page : (3, height, width) uint8
        Red, green and blue.
    out : (height, 1 + 3 * width) uint8
        Scanlines of the PNG; the first byte of each is the filter, "up".
    """
    _, height, width = page.shape
    above = np.zeros((3, width), np.uint8)
    for r in range(height):
        row = out[r, 1:]
        out[r, 0] = 2
        red, green, blue = page[0, r], page[1, r], page[2, r]
        for x in range(width):
            row[3 * x] = red[x] - above[0, x]
            row[3 * x + 1] = green[x] - above[1, x]
            row[3 * x + 2] = blue[x] - above[2, x]
        above = page[:, r]
