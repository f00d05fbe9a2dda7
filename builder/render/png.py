"""PNG: encode a page's pixels as a PNG file without metadata (no text, time or gamma).

A page has shape (n_channels, height, width), uint8. One channel is grey from 0 (black) to 15
(white), stored with 4 bits per pixel; three channels are red, green and blue with 8 bits each.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from isal import isal_zlib
from psgimg.builder.render import raster
from psgimg.builder.render.layout import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2
LEVEL = 1
"""igzip level: 2 and 3 take longer and save less than 1 % on pages."""

CHUNKS = {b"IHDR", b"IDAT", b"IEND"}
"""Types of chunk in a page's file: no text, no time."""

UNKNOWN = b"????"
GREY_STEP = 17
"""Difference between adjacent levels of the 16 greys."""


def encode(page: raster.Bytes, work: raster.Bytes | None = None) -> bytes:
    """Return the PNG file of a page; ``work`` is a buffer from ``scanlines`` for pages of its shape."""
    n_channels, height, width = page.shape
    filtered = scanlines(page) if work is None else work
    (raster.pack_grey if n_channels == 1 else raster.pack_colour)(page, filtered)
    data = isal_zlib.compress(filtered, LEVEL)
    return b"".join((_head(n_channels, height, width), *_parts(b"IDAT", data), _END))


def scanlines(page: raster.Bytes) -> raster.Bytes:
    """Return a buffer for the filtered rows of pages like this, (height, 1 + bytes per row)."""
    n_channels, height, width = page.shape
    return np.empty((height, 1 + (width + 1) // 2 if n_channels == 1 else 1 + 3 * width), np.uint8)


def page_of(image: Image) -> raster.Bytes:
    """Return the page closest to an image of shape (height, width, 1 or 3)."""
    page = np.ascontiguousarray(image.transpose(2, 0, 1))
    if len(page) == 1:
        return ((page.astype(np.uint16) + GREY_STEP // 2) // GREY_STEP).astype(np.uint8)
    return page


def image_of(page: raster.Bytes) -> Image:
    """Return a page as its PNG is decoded, shape (height, width, 1 or 3)."""
    image = np.ascontiguousarray(page.transpose(1, 2, 0))
    return image * np.uint8(GREY_STEP) if len(page) == 1 else image


@lru_cache
def _head(n_channels: int, height: int, width: int) -> bytes:
    """Return what comes before the pixels in the file of a page."""
    depth, colour_type = (4, GREY) if n_channels == 1 else (8, RGB)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"".join((SIGNATURE, *_parts(b"IHDR", header)))


def _parts(kind: bytes, data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the parts of a chunk: length, type, data and checksum."""
    checksum = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)


_END = b"".join(_parts(b"IEND", b""))


def chunks(file: bytes | memoryview) -> set[bytes]:
    """Return the types of the chunks of a PNG file, with ``b"????"`` if it is no PNG or truncated."""
    view = memoryview(file).cast("B")
    types = set() if view[:8] == SIGNATURE else {UNKNOWN}
    place = len(SIGNATURE)
    while place + 12 <= len(view):
        types.add(bytes(view[place + 4 : place + 8]))
        place += 12 + int.from_bytes(view[place : place + 4], "big")
    return types if place == len(view) else types | {UNKNOWN}
