"""Named page: a page with what a reader wants beside it: lanes, scales, which way is up, seconds.

It is for people. What a model sees is the page alone, which has no text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from psgimg.builder.files.picture import decode
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.render import layout
from psgimg.builder.render.layout import Box
from psgimg.builder.render.style import Style
from psgimg.builder.signals.epoching import PAGE_S

GROUND, INK, FAINT = "#ffffff", "#222222", "#666666"
NAME_PX, SCALE_PX, BELOW_PX, PAD_PX = 110, 80, 22, 6
"""Width of the margins for names and scales, height of the one for seconds, and space inside them."""

LEAST_LANE_PX = 36
"""A lower lane is enlarged, so that its texts don't overlap."""

TEXT_PX, SMALL_PX = 13, 11
STEP_S = 5


def named(
    png: bytes,
    style: Style,
    montage: Montage,
    names: Sequence[str | None],
    envelopes: Sequence[bool],
) -> bytes:
    """Return a PNG file with a page, enlarged if it is small, and its lanes named on the left.

    Parameters
    ----------
    png
        The page.
    names
        Name of the derivation in each lane; None for an absent lane.
    envelopes
        Whether each lane holds an EMG level instead of a waveform.
    """
    boxes = layout.boxes(style, montage)
    lowest_px = min(box.bottom - box.top for box in boxes)
    zoom = max(1, -(-LEAST_LANE_PX // lowest_px))
    page = decode(png).convert("RGB")
    page = page.resize((zoom * page.width, zoom * page.height), Image.Resampling.NEAREST)
    size = (NAME_PX + page.width + SCALE_PX, page.height + BELOW_PX)
    figure = Image.new("RGB", size, GROUND)
    figure.paste(page, (NAME_PX, 0))
    draw = ImageDraw.Draw(figure)
    right = NAME_PX + page.width
    rows = zip(montage.lanes, boxes, names, envelopes, strict=True)
    for lane, box, name, envelope in rows:
        middle = zoom * box.middle
        draw.text((PAD_PX, middle), lane.name, INK, _font(TEXT_PX), anchor="ls")
        shown = "absent" if name is None else "level" if envelope else name
        draw.text((PAD_PX, middle + 2), shown, FAINT, _font(SMALL_PX), anchor="lt")
        if name is not None:
            upper, lower = _scale(style, box, envelope=envelope)
            at, font = right + PAD_PX, _font(SMALL_PX)
            draw.text((at, zoom * box.top + 2), upper, FAINT, font, anchor="lt")
            draw.text((at, zoom * box.bottom - 2), lower, FAINT, font, anchor="lb")
    for second in range(0, int(PAGE_S) + 1, STEP_S):
        x = NAME_PX + second / PAGE_S * page.width
        text = f"{second} s" if second else "0"
        draw.text((x, page.height + 4), text, FAINT, _font(SMALL_PX), anchor="mt")
    file = io.BytesIO()
    figure.save(file, "PNG")
    return file.getvalue()


def _scale(style: Style, box: Box, *, envelope: bool) -> tuple[str, str]:
    """Return the texts at the upper and at the lower edge of a lane."""
    to_page = style.scaling == "epoch"
    if envelope:
        return "highest" if to_page else f"{style.envelope_uv:g} uV", "as a band"
    high, low = (
        ("highest", "lowest")
        if to_page
        else (
            f"+{box.style.scale_uv:g} uV",
            f"-{box.style.scale_uv:g} uV",
        )
    )
    return (low, high) if box.style.up == "negative" else (high, low)


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the font that Pillow includes, which is the same on every machine."""
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
