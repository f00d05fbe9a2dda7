"""Show the card of a dataset folder as people see it: ``python tests/show_card.py FOLDER OUT.png``.

A third argument is the width in pixels: 1000 unless told, 420 for a phone. The Markdown becomes
HTML much as on the Hub (tables scroll, pictures shrink to the text's width, the YAML head is
folded), and a headless Chromium takes the picture.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from patience import PATIENCE_S
from PIL import Image, ImageChops

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH_PX, MARGIN_PX, HIGHEST_PX = 1000, 24, 16_000
BESIDE_PX = 200
"""Blank room to the right of a card, in which whatever does not fit in its width comes to light."""

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

CSS = """
body { width: %(width)dpx; margin: 0; background: #fff; color: #1f2328; box-sizing: border-box;
       padding: %(margin)dpx; font: 16px/1.5 "Liberation Sans", Arial, sans-serif;
       overflow-wrap: break-word; }
h1, h2 { padding-bottom: .3em; border-bottom: 1px solid #d1d9e0; }
h1 { font-size: 2em; margin: .4em 0 .5em; } h2 { font-size: 1.5em; margin: 1.5em 0 .7em; }
h1, h2, h3 { line-height: 1.25; }
p, ul, ol, pre, blockquote, .table, details { margin: 0 0 16px; }
li + li { margin-top: .25em; }
img { max-width: 100%%; box-sizing: content-box; }
a { color: #0969da; }
code { font: 85%%/1.45 "DejaVu Sans Mono", monospace; background: #eff1f3; border-radius: 6px;
       padding: .2em .4em; }
pre { background: #f6f8fa; border-radius: 6px; padding: 16px; overflow: auto; }
pre code { background: none; padding: 0; }
blockquote { border-left: .25em solid #d1d9e0; color: #59636e; padding: 0 1em; }
.table { overflow-x: auto; } table { border-collapse: collapse; }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px; }
tr:nth-child(2n) { background: #f6f8fa; }
"""


def html(folder: Path, width_px: int = WIDTH_PX) -> str:
    """The card of ``folder`` as a page of its own; pictures are found in the folder."""
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", maxsplit=2)
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shown = markdown.render(body)
    shown = shown.replace("<table>", '<div class="table"><table>')
    shown = shown.replace("</table>", "</table></div>")
    return (
        f'<!doctype html><meta charset="utf-8"><base href="{folder.resolve().as_uri()}/">'
        f"<style>{CSS % {'width': width_px, 'margin': MARGIN_PX}}</style>"
        f"<details><summary>YAML</summary><pre>{escape(head)}</pre></details>{shown}"
    )


def picture(folder: Path, width_px: int = WIDTH_PX) -> Image.Image:
    """The card as Chromium draws it, in its whole height, with ``BESIDE_PX`` to its right.

    Raises
    ------
    RuntimeError
        If there is no Chromium on the PATH, it took no picture, or the card does not fit in one.
    """
    if CHROMIUM is None:
        raise RuntimeError("no chromium on the PATH")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        page, png = Path(scratch, "card.html"), Path(scratch, "card.png")
        page.write_text(html(folder, width_px), encoding="utf-8")
        words = [
            CHROMIUM,
            *SWITCHES,
            f"--user-data-dir={scratch}/profile",
            f"--window-size={width_px + BESIDE_PX},{HIGHEST_PX}",
            f"--screenshot={png}",
            page.as_uri(),
        ]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        if not png.exists():
            raise RuntimeError(f"chromium took no picture: {done.stderr[-500:]}")
        with Image.open(png) as shot:
            whole = shot.convert("RGB")
    bottom = (ImageChops.invert(whole).getbbox() or (0, 0, 0, 0))[3] + MARGIN_PX
    if bottom > HIGHEST_PX:
        raise RuntimeError(f"the card is higher than {HIGHEST_PX} px")
    return whole.crop((0, 0, whole.width, bottom))


def beside(shot: Image.Image, width_px: int) -> Image.Image:
    """What a card has to the right of its width: blank if everything fits."""
    return shot.crop((width_px, 0, shot.width, shot.height))


if __name__ == "__main__":
    wide = int(sys.argv[3]) if len(sys.argv) > 3 else WIDTH_PX
    shot = picture(Path(sys.argv[1]), wide)
    shot.crop((0, 0, wide, shot.height)).save(sys.argv[2])
