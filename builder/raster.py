"""Rasteriser: traces with fractional coverage, compiled. Knows nothing of lanes, stages or files.

Each pixel column is cut into ``SUB`` slices. Within a slice a trace covers one vertical extent; a
round pen widens it by the extents of its neighbour slices. The covered share of each pixel is
summed over the slices: what an anti-aliasing renderer computes, at the price of a running
minimum and maximum.
"""

from __future__ import annotations

from math import floor, sqrt

import numpy as np
import numpy.typing as npt
from numba import njit

SUB = 5
"""Slices a pixel column. Odd, so that a pen of 1 px is a whole number of slices wide."""

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@njit(cache=True, nogil=True)
def extend(rows: Floats, top: Floats, bottom: Floats) -> None:
    """Extend each slice's extent by the line through the samples.

    Parameters
    ----------
    rows : (n_samples,) float32
        Row of the page at each sample. Sample i lies at (i + 0.5) / n_samples of the width; between
        samples the line runs straight, before the first and after the last it is level.
    top, bottom : (n_slices,) float32
        Smallest and largest row reached in each slice; infinities where nothing was drawn yet.
    """
    n = len(rows)
    n_slices = len(top)
    per = n_slices / n
    here = 0
    y0 = rows[0]
    x0 = 0.0
    for i in range(n + 1):
        y1 = rows[min(i, n - 1)]
        x1 = (i + 0.5) * per
        there = min(int(x1), n_slices - 1)
        top[here] = min(top[here], y0)
        bottom[here] = max(bottom[here], y0)
        if there > here:
            slope = (y1 - y0) / (x1 - x0)
            for s in range(here, there):
                edge = np.float32(y0 + slope * (s + 1 - x0))
                top[s] = min(top[s], edge)
                bottom[s] = max(bottom[s], edge)
                top[s + 1] = min(top[s + 1], edge)
                bottom[s + 1] = max(bottom[s + 1], edge)
            here = there
        x0 = x1
        y0 = y1
    top[here] = min(top[here], y0)
    bottom[here] = max(bottom[here], y0)


@njit(cache=True, nogil=True)
def pen_halves(line_px: float) -> Floats:
    """Half heights of a round pen, by slices from its centre."""
    radius = line_px / 2
    reach = max(int(floor(radius * SUB - 0.5 + 1e-6)), 0)
    halves = np.empty(reach + 1, np.float32)
    for k in range(reach + 1):
        across = min((k + 0.5) / SUB, radius)
        halves[k] = sqrt(radius * radius - across * across)
    return halves


@njit(cache=True, nogil=True)
def widen(top: Floats, bottom: Floats, halves: Floats, out_top: Floats, out_bottom: Floats) -> None:
    """Widen extents by a round pen, into ``out_top`` and ``out_bottom``."""
    n = len(top)
    reach = len(halves) - 1
    for s in range(n):
        out_top[s] = top[s] - halves[0]
        out_bottom[s] = bottom[s] + halves[0]
    for k in range(1, reach + 1):
        half = halves[k]
        for s in range(n - k):
            out_top[s] = min(out_top[s], top[s + k] - half)
            out_bottom[s] = max(out_bottom[s], bottom[s + k] + half)
            out_top[s + k] = min(out_top[s + k], top[s] - half)
            out_bottom[s + k] = max(out_bottom[s + k], bottom[s] + half)


@njit(cache=True, nogil=True)
def fill(page: Bytes, top: Floats, bottom: Floats, ink: Bytes, cover: Floats) -> None:
    """Blend the stroked extents into a page.

    Parameters
    ----------
    page : (height, width, n_channels) uint8
    top, bottom : (width * SUB,) float32
        Extents in rows; what lies outside the page is cut off.
    ink : (n_channels,) uint8
    cover : (height,) float32
        Work space, zero on entry and on return.
    """
    height, width, n_channels = page.shape
    for x in range(width):
        first = height
        last = -1
        for s in range(x * SUB, x * SUB + SUB):
            t = max(top[s], 0.0)
            b = min(bottom[s], float(height))
            if not b > t:  # also where a sample was no number
                continue
            r0 = int(floor(t))
            r1 = min(int(floor(b)), height - 1)
            first = min(first, r0)
            last = max(last, r1)
            if r0 == r1:
                cover[r0] += b - t
                continue
            cover[r0] += r0 + 1 - t
            for r in range(r0 + 1, r1):
                cover[r] += 1.0
            cover[r1] += b - r1
        for r in range(first, last + 1):
            share = cover[r] / SUB
            cover[r] = 0.0
            for c in range(n_channels):
                ground = page[r, x, c]
                page[r, x, c] = np.uint8(ground + (float(ink[c]) - ground) * share + 0.5)


@njit(cache=True, nogil=True)
def pack_nibbles(rows: Bytes, level: Bytes, out: Bytes) -> None:
    """Two pixels a byte, after looking up each one's level.

    Parameters
    ----------
    rows : (height, width) uint8, of even width
    level : (256,) uint8
        Grey → one of 16 levels.
    out : (height, width / 2) uint8
    """
    height, width = rows.shape
    for r in range(height):
        for i in range(width // 2):
            out[r, i] = level[rows[r, 2 * i]] << 4 | level[rows[r, 2 * i + 1]]


@njit(cache=True, nogil=True)
def filter_up(rows: Bytes, out: Bytes) -> None:
    """PNG's filter "up": each byte less the one above it.

    Parameters
    ----------
    rows : (height, n_bytes) uint8
    out : (height, 1 + n_bytes) uint8
        The first byte of a row names the filter.
    """
    height, n_bytes = rows.shape
    out[:, 0] = 2
    for i in range(n_bytes):
        out[0, 1 + i] = rows[0, i]
    for r in range(1, height):
        for i in range(n_bytes):
            out[r, 1 + i] = rows[r, i] - rows[r - 1, i]
