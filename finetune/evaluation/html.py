"""Page: a report in Markdown as one HTML file, pictures inside, for any screen and for paper."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape

from psgimg.builder.card import templates

TEMPLATE = "evaluation.html.j2"
WIDE_PX = 900
"""Wider pictures scroll sideways on a phone instead of shrinking until nothing can be read."""


def html(text: str, pictures: Mapping[str, bytes]) -> str:
    """The page of a report.

    Parameters
    ----------
    text
        Its Markdown, with a title in the first line. Raw HTML in it is shown as text.
    pictures
        PNG files by the name under which the text shows them.
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
    """The attributes of a picture that hold it, its size included: text does not jump."""
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in (16, 20))  # of its IHDR
    wide = ' class="wide"' if width > WIDE_PX else ""
    data = base64.b64encode(png).decode()
    return f'src="data:image/png;base64,{data}" width="{width}" height="{height}"{wide}'
