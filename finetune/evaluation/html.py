"""HTML: a Markdown report as a single self-contained HTML file, for any screen and for print."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape

from psgimg.builder.card import templates

TEMPLATE = "evaluation.html.j2"
WIDE_PX = 900
"""Wider pictures scroll horizontally on a phone instead of shrinking until illegible."""


def html(text: str, pictures: Mapping[str, bytes]) -> str:
    """Return a report as a self-contained HTML page.

    Parameters
    ----------
    text
        Markdown with the title in the first line. Raw HTML is escaped.
    pictures
        File name used in the text → PNG bytes.
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = body.replace("<table>", '<div class="scroll"><table>')
    body = body.replace("</table>", "</table></div>")
    for name, png in pictures.items():
        body = body.replace(f'<p><img src="{name}"', f'<p class="picture"><img {_inline(png)}')
    title = re.sub(r"[#`\\]", "", text.partition("\n")[0]).strip()
    return templates.render(TEMPLATE, {"title": escape(title), "body": body})


def _inline(png: bytes) -> str:
    """Return the attributes that embed a picture, with its size so that the layout does not shift."""
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))  # from the IHDR chunk
    wide = ' class="wide"' if width > WIDE_PX else ""
    data = base64.b64encode(png).decode()
    return f'src="data:image/png;base64,{data}" width="{width}" height="{height}"{wide}'
