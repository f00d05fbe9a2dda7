"""Pages: a dataset of synthetic nights, drawn for the measurements."""

from __future__ import annotations

from pathlib import Path

from psgimg.builder.build import build
from psgimg.builder.corpora import demo
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.progress import SILENT

NIGHTS = 3
"""Nights of the demo that are drawn: some 400 pages, repeated as often as a measurement needs."""


def draw(folder: Path) -> Path:
    """Build a dataset of a few nights, all for training, in style ``clinical`` and return its folder."""
    corpus, out = folder / "demo", folder / "pages"
    demo.write(corpus)
    build(BuildConfig(("demo",), (str(corpus),), out, limit=NIGHTS, splits="1/0/0"), SILENT)
    return out
