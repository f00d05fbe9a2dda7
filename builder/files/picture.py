"""Picture: decode the PNG file of a page of a dataset, after its size and checksums were checked."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"

MIN_SIDE_PX, MAX_SIDE_PX = 16, 4096
"""Smallest and largest width and height of a page, in every style."""


def decode(png: bytes) -> Image.Image:
    """Return the picture in a PNG file, as RGB.

    Raises
    ------
    ValueError
        If it is not a PNG file, is damaged, or is larger than any page: its header states the size,
        and of a larger picture nothing is decoded.
    """
    from PIL import Image

    if png[:8] != SIGNATURE or png[12:16] != b"IHDR":
        raise ValueError("it is no PNG file")
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))
    if max(width, height) > MAX_SIDE_PX:
        raise ValueError(f"{width}x{height} px, but pages have at most {MAX_SIDE_PX}x{MAX_SIDE_PX}")
    _check_sums(png)
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def _check_sums(png: bytes) -> None:
    """Refuse a file with a damaged chunk, of which Pillow decodes what it can."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        kind = png[at + 4 : at + 8]
        if len(png) < end + 4:
            raise ValueError("it is truncated")
        if zlib.crc32(png[at + 4 : end]) != int.from_bytes(png[end : end + 4], "big"):
            raise ValueError(f"the checksum of its chunk {kind!r} is wrong")
        at = end + 4
