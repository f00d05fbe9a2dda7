"""SleepVLM original: how far our style ``sleepvlm`` is from the picture that SleepVLM published.

    python benchmarks/sleepvlm_original.py

draws pages of each stage of a synthetic night with both, from the same samples, and prints JSON: the
share of pixels that differ, and the mean absolute difference of the colours (of 255).

``page`` is written from a reading of github.com/Deng-GuiFeng/SleepVLM (``sleepvlm/data/renderer.py``,
commit 0bdf8a0): a matplotlib figure of 448x224 px at 100 dpi, axes that fill it, a band per lane in
order from the top, the lines of all lanes, then the grid and the lines between lanes over them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from psgimg.builder.corpora import demo
from psgimg.builder.recordings import usable
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.page import Page
from psgimg.builder.render.style import SLEEPVLM
from psgimg.builder.signals import epoching
from psgimg.builder.signals.filter_settings import Filters
from psgimg.builder.signals.filtering import read_signals
from psgimg.builder.stages import STAGE_NAMES

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

WIDTH_PX, HEIGHT_PX, DPI, PAGE_S = 448, 224, 100, 30
LANES = (  # ink, µV from the middle of its band to the edge
    ("#FFFF00", 50.0),
    ("#00FF00", 50.0),
    ("#FF0000", 50.0),
    ("#00FFFF", 50.0),
    ("#FF00FF", 50.0),
    ("#0000FF", 40.0),
)
GREY = "#404040"
PAGES_A_STAGE = 10
VISIBLE = 16
"""A difference of more than this (of 255) in any colour can be seen side by side."""


def page(data_uv: Samples) -> Picture:
    """Return the original's picture of six lanes, shape (224, 448, 3); ``data_uv`` in µV."""
    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, facecolor="black")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), facecolor="black")
    axes.set(xlim=(0, PAGE_S), ylim=(0, 1), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    times_s = np.linspace(0, PAGE_S, data_uv.shape[1])
    n_lanes = len(LANES)
    for number, ((ink, edge_uv), samples_uv) in enumerate(zip(LANES, data_uv, strict=True)):
        middle = 1 - (number + 0.5) / n_lanes
        axes.plot(times_s, middle + samples_uv / (2 * edge_uv * n_lanes), color=ink, linewidth=0.6)
    for second in range(1, PAGE_S):
        strong = second % 5 == 0
        axes.axvline(
            second, color=GREY, alpha=0.8 if strong else 0.6, linewidth=0.8 if strong else 0.5
        )
    for number in range(1, n_lanes):
        axes.axhline(number / n_lanes, color=GREY, alpha=0.8, linewidth=0.8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def night(folder: Path) -> dict[str, Samples]:
    """Return pages of each stage of a synthetic night, each (n_pages, 6, n_samples), in µV."""
    demo.write(folder, n_subjects=1)
    (recording,) = demo.CORPUS.recordings(folder)
    edf, montage = open_edf(recording.signal), MONTAGES["aasm"]
    hypnogram = demo.CORPUS.read_hypnogram(recording, next(iter(recording.scorings)))
    selection = epoching.select(hypnogram, edf, None)
    signals = read_signals(
        edf,
        montage,
        usable.resolve(edf, montage, demo.CORPUS.channels).derivations,
        filters=Filters(),
        mains_hz=demo.CORPUS.mains_hz,
        sfreq_hz=200.0,
        span_s=selection.span_s,
    )
    pages = np.stack(list(epoching.cut(signals, selection.epochs)))
    stages = np.array([epoch.stage.name for epoch in selection.epochs])
    return {name: pages[stages == name][:PAGES_A_STAGE] for name in STAGE_NAMES}


def differences(pages: Samples) -> dict[str, float]:
    """Return how far our pictures of pages (n_pages, 6, n_samples) are from the original's."""
    ours = Page(SLEEPVLM, MONTAGES["aasm"], [False] * 6, [False] * 6)
    apart = np.stack([np.abs(ours.draw(data_uv).astype(int) - page(data_uv)) for data_uv in pages])
    most = apart.max(axis=3)
    return {
        "differ_percent": round(100 * float((most > 0).mean()), 1),
        "differ_visibly_percent": round(100 * float((most > VISIBLE).mean()), 1),
        "mean_absolute_difference": round(float(apart.mean()), 2),
    }


def main() -> None:
    """Measure, and print the JSON."""
    with tempfile.TemporaryDirectory(prefix="psgimg-sleepvlm-") as folder:
        pages = night(Path(folder))
    figures = {name: differences(some) for name, some in pages.items() if len(some)}
    figures["all"] = differences(np.concatenate(list(pages.values())))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
