"""Plot agreement: errors of sleep statistics over their mean, with bias and limits (Bland–Altman)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from psgimg.finetune.evaluation.clinical.measures import MEASURES, Measure
from psgimg.finetune.metrics.plot_hypnogram import FAINT, INK, plain
from psgimg.finetune.metrics.plotting import BLUE, VERMILION, figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_COLUMNS = 5
ROOM = 0.16
"""Share of the width kept free at the right for the values of lines."""

FEWEST_NIGHTS = 3
"""Below this number of nights there is no picture."""

LEAST_HEIGHT = {"min": 5.0, "%": 2.0}
"""Minimum half-height of the axis of errors, so that tiny errors look tiny."""


def draw(recordings: Sequence[Mapping[str, Any]], nights: Mapping[str, Any]) -> bytes | None:
    """Draw every measure as PNG, a panel each; None with too few nights.

    Parameters
    ----------
    recordings
        As in ``metrics.json``: ``sleep`` by measure, None for a recording that is not compared.
    nights
        As in ``metrics.json``: ``compared`` and ``measures``.
    """
    if nights["compared"] < FEWEST_NIGHTS:
        return None
    n_rows = -(-len(MEASURES) // N_COLUMNS)
    drawn = figure(2.55 * N_COLUMNS, 2.55 * n_rows + 0.3)
    panels = drawn.subplots(n_rows, N_COLUMNS)
    compared = [row["sleep"] for row in recordings if row["sleep"] is not None]
    for axes, measure in zip(panels.flat, MEASURES, strict=True):
        _panel(axes, measure, compared, nights["measures"][measure.key])
    drawn.supylabel("error: predicted − scored", fontsize=9)
    drawn.supxlabel("mean of predicted and scored", fontsize=9)
    return png(drawn)


def _panel(
    axes: Axes, measure: Measure, nights: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]
) -> None:
    pairs = [(night[measure.key]["scored"], night[measure.key]["error"]) for night in nights]
    defined = [pair for pair in pairs if pair[1] is not None]
    scored, errors = np.array(defined, np.float64).reshape(-1, 2).T
    axes.axhline(0, color=FAINT, linewidth=1, zorder=0)
    size = 16 if len(errors) <= 100 else 6
    axes.scatter(scored + errors / 2, errors, size, BLUE, alpha=0.55, linewidths=0)
    bias = figures["bias"]["value"]
    if bias is not None:
        axes.axhline(bias, color=VERMILION, linewidth=1.2)
        _band(axes, figures["bias"])
        _label(axes, bias, f"{bias:+.1f}")
    for limit in (figures["lower_limit"], figures["upper_limit"]):
        if limit["value"] is not None:
            axes.axhline(limit["value"], color=INK, linewidth=0.9, linestyle="--")
            _label(axes, limit["value"], f"{limit['value']:+.1f}")
    axes.set_title(f"{measure.short} ({measure.unit})", fontsize=9)
    least = LEAST_HEIGHT[measure.unit]
    low, high = axes.get_ylim()
    above = 0.06 * (high - low)  # for the value on the topmost line
    axes.set_ylim(min(low, -least), max(high + above, least))
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + ROOM * (right - left))
    axes.tick_params(labelsize=7.5)
    axes.locator_params(nbins=5)
    plain(axes)


def _band(axes: Axes, entry: Mapping[str, float | None]) -> None:
    if entry["low"] is not None and entry["high"] is not None:
        axes.axhspan(entry["low"], entry["high"], color=VERMILION, alpha=0.13, linewidth=0)


def _label(axes: Axes, height: float, words: str) -> None:
    """Write a value at the right end of its line."""
    axes.annotate(
        words.replace("-", "−"),
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 1.5),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7,
        color=INK,
    )
