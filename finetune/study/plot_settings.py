"""Plot settings: metrics of a study's settings, and differences between them, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.plot_hypnogram import literal
from psgimg.finetune.metrics.plotting import BLUE, VERMILION, figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN, LABEL_IN, PANEL_IN = 0.28, 0.075, 2.3
"""Height of a row, width of a character of its name, and width of a panel, in inches."""

BELOW = 0.25
"""Distance of the rings of single seeds below their mean, in rows."""

FAINT = "#dddddd"
SEED_COLOUR = "#555555"


def settings(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """Draw the metrics of every setting as PNG: dots with intervals, and rings for single seeds."""

    def draw(axes: Axes, name: str) -> None:
        for y, row in enumerate(rows):
            entry = row["figures"][name]
            _interval(axes, y, entry["value"], entry, BLUE)
            if len(entry["seeds"]) > 1:
                seeds = [value for value in entry["seeds"] if value is not None]
                axes.plot(
                    seeds,
                    [y + BELOW] * len(seeds),
                    "o",
                    mfc="none",
                    mec=SEED_COLOUR,
                    ms=3.5,
                    mew=0.8,
                )

    return png(_panels(names, draw))


def effects(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """Draw the difference of every factor value from its reference, with intervals, as PNG."""

    def draw(axes: Axes, name: str) -> None:
        axes.axvline(0, color="black", linewidth=0.8)
        for y, row in enumerate(rows):
            entry = row["figures"][name]
            _interval(axes, y, entry["difference"], entry, VERMILION)

    drawn = _panels(names, draw)
    drawn.supxlabel("difference", fontsize=9)
    return png(drawn)


def _interval(
    axes: Axes, y: int, value: float | None, entry: Mapping[str, Any], colour: str
) -> None:
    """Draw a value as a dot, with its interval as a line if there is one."""
    if value is None:
        return
    if entry["low"] is not None:
        axes.hlines(y, entry["low"], entry["high"], color=colour, linewidth=2, alpha=0.6)
    axes.plot([value], [y], "o", color=colour, ms=6)


def _panels(names: Sequence[str], draw: Callable[[Axes, str], None]) -> Figure:
    """Draw one panel per headline metric, side by side, with shared rows."""
    headline = metric_table.headline()
    longest = max(map(len, names), default=0)
    width_in = LABEL_IN * longest + PANEL_IN * len(headline) + 0.4
    drawn = figure(width_in, ROW_IN * len(names) + 1.1)
    panels = drawn.subplots(1, len(headline), sharey=True)
    for axes, metric in zip(panels, headline, strict=True):
        axes.grid(axis="x", color=FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        draw(axes, metric.key)
        axes.set_title(metric.short, fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0, labelsize=9)
        axes.tick_params(axis="x", labelsize=8)
    panels[0].set_yticks(range(len(names)), list(map(literal, names)))
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    return drawn
