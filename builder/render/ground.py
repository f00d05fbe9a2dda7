"""Ground: a page without signals as its PNG is decoded, and whether signals stay within their lanes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.render import layout, png
from psgimg.builder.render.layout import Image
from psgimg.builder.render.style import Style


def ground(style: Style, montage: Montage, absent: Sequence[bool]) -> Image:
    """Return a page without signals, (height, width, 3) uint8: grid, guides, rules and hatching.

    Parameters
    ----------
    absent
        For each lane, whether it is drawn as absent.
    """
    page = layout.background(style, layout.boxes(style, montage), tuple(absent))
    if style.grey:  # as pages are stored: in 16 grey levels
        page = png.image_of(png.page_of(page[:, :, :1]))
    return np.ascontiguousarray(np.broadcast_to(page, (*page.shape[:2], 3)))


def spills(style: Style) -> str:
    """Return why traces may be drawn beyond their lanes; "" if every trace stays within its own.

    Only then does a lane's strip of the page depend on that lane alone. A scale that fits each page
    leaves ``INSET_PX`` to the lane's edges, as clipping does, which a pen of twice that width fills.
    """
    if style.scaling == "fixed" and not style.clip:
        return "waves extend into neighbouring lanes (clip: false)"
    if style.line_px > 2 * layout.INSET_PX:
        return f"its pen of {style.line_px:g} px reaches into neighbouring lanes"
    return ""
