"""Page ink: what the pictures of pages show in each lane, as numbers that trees learn from.

Height, movement and rhythm of the ink: no language model, no signals. A page is seen as a model is shown
it: whole, narrowed beside another page, in one of its variants, or with lanes drawn as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from psgimg.builder import atomic_file
from psgimg.builder.render import layout
from psgimg.builder.render.recipe import Recipe
from psgimg.finetune.data.context import BAR_PX, Context
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.lanes.cover import Cover

INK = 64
"""Brightness below which a pixel is a wave; guides and the lines of seconds are lighter."""

N_BANDS = 8
BATCH = 50
"""Pages decoded at a time."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ink:
    """What the pages of a split show.

    Parameters
    ----------
    pages
        All pages of the split.
    shown
        (look, scale) → (pages, lanes, values): look 0 is the page as recorded, others are its variants,
        whole only; scale is the width relative to the page.
    absent
        Scale → (lanes, values) of the lanes drawn as absent; empty if none can be.
    """

    pages: PageSet
    shown: dict[tuple[int, float], Floats]
    absent: dict[float, Floats]

    @classmethod
    def of(
        cls, pages: PageSet, scales: Iterable[float], kept: Path, *, varied: bool = False
    ) -> Ink:
        """Look at all pages of a split, and at their variants if ``varied``.

        Parameters
        ----------
        kept
            File that keeps what was seen for the next run, ``.npz``.
        """
        recipe = Recipe.from_dict(pages.build["recipe"])
        lanes = [slice(box.top, box.bottom) for box in layout.boxes(recipe.style, recipe.montage)]
        widths = sorted(set(scales))
        looks = Looks.of(pages, varied=varied).sets
        if not kept.exists():
            seen = {
                f"{look} {scale}": found
                for look, one in enumerate(looks)
                for scale, found in _look(one, widths if look == 0 else [1.0], lanes).items()
            }
            with atomic_file.whole(kept) as whole, whole.open("wb") as file:
                np.savez(file, **seen)
        with np.load(kept) as file:
            shown = {
                (int(look), float(scale)): file[name]
                for name in file.files
                for look, scale in [name.split()]
            }
        blank = Image.new("RGB", (recipe.style.width_px, recipe.style.height_px), "white")
        gone = Cover(recipe).over(blank, [True] * len(lanes)).convert("L")
        absent = {scale: _pages([_narrowed(gone, scale)], lanes)[0] for scale in widths}
        return cls(pages, shown, absent)


def _look(pages: PageSet, scales: Sequence[float], lanes: list[slice]) -> dict[float, Floats]:
    """Return what all pages show at each scale, in batches."""
    found: dict[float, list[Floats]] = {scale: [] for scale in scales}
    n_pages = len(pages.index)
    for start in range(0, n_pages, BATCH):
        rows = range(start, min(start + BATCH, n_pages))
        images = [image.convert("L") for image in pages.images(rows)]
        for scale, own in found.items():
            own.append(_pages([_narrowed(one, scale) for one in images], lanes))
    return {scale: np.concatenate(own) for scale, own in found.items()}


def _narrowed(page: Image.Image, scale: float) -> Image.Image:
    """Return a grey page as it is shown beside another one."""
    context = Context(1, scale)
    if not context.in_one_picture:
        return page
    [picture] = context.pictures([page, page], 1)
    _, left = context.place(1, page.width)
    return picture.crop((0, 0, left - BAR_PX, page.height)).convert("L")


def _pages(pages: Sequence[Image.Image], lanes: list[slice]) -> Floats:
    """Return what each lane of some pages shows, (pages, lanes, values)."""
    ink = np.stack([np.asarray(page) for page in pages]) < INK
    return np.stack([_lane(ink[:, lane]) for lane in lanes], axis=1)


def _lane(ink: npt.NDArray[np.bool_]) -> Floats:
    """Return what (pages, height, width) show: how high the wave is, and how fast it changes."""
    some, height = ink.any(axis=1), ink.shape[1]
    top = np.where(some, ink.argmax(axis=1), height / 2)
    bottom = np.where(some, height - 1 - ink[:, ::-1].argmax(axis=1), height / 2)
    middle, extent = (top + bottom) / 2, bottom - top
    levels = np.percentile(extent, (5, 25, 50, 75, 95, 99), axis=1).T
    moved = np.stack(
        [
            np.abs(np.diff(middle)).mean(axis=1),
            middle.std(axis=1),
            extent.std(axis=1),
            np.ptp(middle, axis=1),
        ],
        axis=1,
    )
    values = np.concatenate([levels, moved, _bands(middle), _bands(extent)], axis=1)
    return np.asarray(values, np.float32)


def _bands(lines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the log power of (pages, width) lines in bands that double in width."""
    n = lines.shape[1]
    power = np.abs(np.fft.rfft(lines - lines.mean(axis=1, keepdims=True))) ** 2 / n
    edges = np.geomspace(1, power.shape[1], N_BANDS + 1).round().astype(int)
    return np.asarray(np.log1p(np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)))
