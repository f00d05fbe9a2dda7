"""Plot explanation: lane shares by stage, faithfulness curves, and pages with attribution overlays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.builder import atomic_file
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import percent
from psgimg.finetune.explaining.cells import Grid
from psgimg.finetune.explaining.faithfulness import ORDERS, SHARES, WAYS
from psgimg.finetune.explaining.summary import Explained, Summary
from psgimg.finetune.metrics.plot_hypnogram import literal
from psgimg.finetune.metrics.plotting import figure, png

LANES, FAITHFULNESS, PAGES = "lanes.png", "faithfulness.png", "pages"

DPI = 100
FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""RGB colours of evidence for and against an answer, distinct with colour vision deficiency."""
STRONGEST = 0.6
"""Opacity of the strongest attribution, at which the trace remains legible."""

LINES = {
    "explanation": ("most important first", "#d55e00", "-"),
    "ink": ("most ink first", "#000000", "--"),
    "random": ("random order", "#888888", ":"),
}
STAGE_INKS = ("#e69f00", "#56b4e9", "#0072b2", "#000000", "#cc79a7")


PAGE_NAME = re.compile(rf"({'|'.join(STAGE_NAMES)})-\d+\.png")


def remove_pages(folder: Path) -> None:
    """Remove the page pictures of an earlier explanation, and no other file."""
    for path in (folder / PAGES).glob("*.png"):
        if PAGE_NAME.fullmatch(path.name):
            path.unlink()


def write(folder: Path, result: Summary, grid: Grid) -> list[tuple[Path, Explained]]:
    """Write all pictures; return path and page of each page picture, ordered by stage."""
    _save(_lanes(result), folder / LANES)
    _save(_faithfulness(result), folder / FAITHFULNESS)
    drawn = []
    for stage, name in enumerate(STAGE_NAMES):
        shown = [page for page in result.pages if page.stage == stage and page.overlay]
        for number, page in enumerate(shown, start=1):
            path = folder / PAGES / f"{name}-{number}.png"
            _save(_page(page, grid), path)
            drawn.append((path, page))
    return drawn


def _lanes(result: Summary) -> Any:
    """Draw shares and changed answers by stage and lane, and attribution by second."""
    drawn = figure(max(8.5, 1.1 * len(result.lanes) + 4), 6.4, DPI)
    grid = drawn.add_gridspec(2, 2, height_ratios=[3, 2])
    names = [f"{name}\nn = {stage.n_pages}" for name, stage in result.stages.items()]
    for place, key, title in (
        (0, "shares", "share in the evidence for the answer"),
        (1, "turns", "answer changes when the lane is replaced"),
    ):
        values = np.array(
            [[mean.value for mean in getattr(s, key)] for s in result.stages.values()]
        )
        axes = drawn.add_subplot(grid[0, place])
        axes.imshow(100 * values, cmap="Oranges", vmin=0, vmax=100, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            ink = "white" if value > 0.6 else "black"
            text = "–" if np.isnan(value) else percent(value)
            axes.text(j, i, text, ha="center", va="center", color=ink, fontsize=9)
        axes.set_xticks(range(len(result.lanes)), list(map(literal, result.lanes)))
        axes.set_yticks(range(len(names)), names)
        axes.set_title(title, fontsize=10)
        axes.tick_params(length=0)
    axes = drawn.add_subplot(grid[1, :])
    for name, stage in result.stages.items():
        ink = STAGE_INKS[STAGE_NAMES.index(name)]
        edges = range(len(stage.seconds) + 1)
        axes.stairs(stage.seconds, edges, baseline=None, color=ink, label=name)
    axes.axhline(0, color="#bbbbbb", linewidth=0.8)
    axes.set(xlim=(0, PAGE_S), xlabel="second of the page", ylabel="attribution per second (nats)")
    _plain(axes)
    axes.legend(frameon=False, fontsize=8, ncols=len(names), loc="lower right", borderaxespad=0.2)
    axes.margins(y=0.25)
    return drawn


def _faithfulness(result: Summary) -> Any:
    drawn = figure(9, 3.8, DPI)
    titles = ("deletion: lower is better", "insertion: higher is better")
    for place, (way, title) in enumerate(zip(WAYS, titles, strict=True)):
        axes = drawn.add_subplot(1, 2, place + 1)
        for order in ORDERS:
            name, ink, dash = LINES[order]
            axes.plot(100 * SHARES, result.curves[way, order], dash, color=ink, label=name)
        changed = "deleted" if way == "deletion" else "inserted"
        axes.set(xlabel=f"% of cells {changed}", ylabel="mean margin (nats)", xlim=(0, 100))
        axes.set_title(title, fontsize=10)
        axes.axhline(0, color="#bbbbbb", linewidth=0.8)
        _plain(axes)
    return drawn


def _page(page: Explained, grid: Grid) -> Any:
    """Draw a page with evidence for its answer in orange and evidence against it in blue."""
    assert page.overlay is not None
    values = page.overlay.values
    strongest = float(abs(values).max()) or 1.0
    cover = (abs(values) / strongest * STRONGEST)[..., None]
    ink = np.where(values[..., None] > 0, FOR, AGAINST)
    shown = np.rint(page.overlay.pixels * (1 - cover) + ink * cover).astype(np.uint8)
    height, width = grid.page
    narrow = width < 600
    left, right, top, bottom = 70, 110, 56 if narrow else 40, 46
    total = (width + left + right, height + top + bottom)
    drawn = figure(total[0] / DPI, total[1] / DPI, DPI, layout=None)
    axes = drawn.add_axes((left / total[0], bottom / total[1], width / total[0], height / total[1]))
    axes.imshow(shown, extent=(0, PAGE_S, height, 0), aspect="auto", interpolation="none")
    axes.set_yticks((grid.tops[:-1] + grid.tops[1:]) / 2, list(map(literal, grid.lanes)))
    axes.set_xticks(range(0, round(PAGE_S) + 1, 5))
    axes.set_xlabel("seconds")
    axes.tick_params(length=0)
    answer = STAGE_NAMES[page.stage]
    probability = percent(np.exp(page.log_probs[page.stage]))
    stages = f"answer {answer} ({probability}), scored {page.page.stage}"
    place = f"{literal(page.page.recording)}, epoch {page.page.epoch}"
    between = "\n" if narrow else ": "
    axes.set_title(f"{stages}{between}{place}", fontsize=10)
    _scale(drawn, axes, strongest)
    return drawn


def _scale(drawn: Any, axes: Any, strongest: float) -> None:
    """Draw the colour scale of the attributions beside a page."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    ends = [tuple(np.array(ink) / 255 * STRONGEST + (1 - STRONGEST)) for ink in (AGAINST, FOR)]
    colours = LinearSegmentedColormap.from_list("attribution", [ends[0], (1, 1, 1), ends[1]])
    place = axes.get_position()
    beside = drawn.add_axes((place.x1 + 0.012, place.y0, 0.012, place.height))
    bar = drawn.colorbar(ScalarMappable(Normalize(-strongest, strongest), colours), cax=beside)
    bar.set_label("attribution (nats)", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _plain(axes: Any) -> None:
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _save(drawn: Any, path: Path) -> None:
    with atomic_file.whole(path) as temporary:
        temporary.write_bytes(png(drawn))
