"""PNG: the container around a page's pixels. Only the pixels: no text, no time, no gamma."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from isal import isal_zlib
from psgimg.builder import raster
from psgimg.builder.layout import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2
LEVEL = 1
"""igzip level: 2 and 3 take longer and save under 1 % on pages."""


LEVELS = 16
GREY_STEP = 255 // (LEVELS - 1)
_LEVEL = ((np.arange(256) + GREY_STEP // 2) // GREY_STEP).astype(np.uint8)


def encode(page: Image) -> bytes:
    """PNG file of a page of shape (height, width, 1), 4 bits a pixel, or (height, width, 3)."""
    height, width, n_channels = page.shape
    rows = page.reshape(height, width * n_channels)
    depth, colour_type = (4, GREY) if n_channels == 1 else (8, RGB)
    if n_channels == 1:
        even = np.pad(rows, ((0, 0), (0, 1))) if width % 2 else rows
        rows = np.empty((height, even.shape[1] // 2), np.uint8)
        raster.pack_nibbles(even, _LEVEL, rows)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    raster.filter_up(rows, filtered)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    data = isal_zlib.compress(filtered, LEVEL)
    return b"".join(
        (SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    )


def stored(page: Image) -> Image:
    """A page as its PNG gives it back: grey in 16 levels, colour as it is."""
    return _LEVEL[page] * np.uint8(GREY_STEP) if page.shape[2] == 1 else page


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)))
