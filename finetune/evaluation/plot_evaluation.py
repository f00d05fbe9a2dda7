"""Plot evaluation: confusion matrix, reliability diagram, subjects and differences between files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import percent
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.plot_hypnogram import FAINT, INK, literal, plain
from psgimg.finetune.metrics.plotting import BLUE, VERMILION, figure, png, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOLDEN = (5**0.5 - 1) / 2
"""Golden ratio: offsets in steps of it never coincide, a jitter of dots without randomness."""

LEAST = 0.03
"""Minimum half-width of the axis of differences, so that tiny differences look tiny."""

FEW = 20
"""Bins with fewer epochs are drawn hollow and not connected to others."""


def confusion(table: Sequence[Sequence[int]], columns_are: str = "predicted") -> bytes:
    """Draw a confusion matrix as PNG, with row percentages and numbers of epochs.

    Parameters
    ----------
    table
        (5, 6) epochs by scored and predicted stage; the last column, epochs without a valid answer,
        is shown only if there are any.
    columns_are
        Label of the column axis.
    """
    counts = np.asarray(table)
    columns = [*STAGE_NAMES, "no answer"] if counts[:, -1].any() else list(STAGE_NAMES)
    counts = counts[:, : len(columns)]
    scored = counts.sum(1)
    shares = counts / np.maximum(scored, 1)[:, None]
    drawn = figure(1.4 + 0.85 * len(columns), 4.6)
    axes = drawn.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        share = percent(shares[row, column]) if scored[row] else "–"
        ink = "white" if shares[row, column] > 0.6 else INK
        axes.text(column, row - 0.08, share, ha="center", va="center", color=ink, fontsize=12)
        n = f"{counts[row, column]:,}"
        axes.text(column, row + 0.25, n, ha="center", va="center", color=ink, fontsize=7.5)
    axes.set_xticks(range(len(columns)), columns)
    rows = [f"{name}\n{n:,}" for name, n in zip(STAGE_NAMES, scored, strict=True)]
    axes.set_yticks(range(len(STAGE_NAMES)), rows)
    axes.set(xlabel=columns_are, ylabel="scored (epochs)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return png(drawn)


def reliability(calibration: Mapping[str, Any]) -> bytes:
    """Draw a reliability diagram as PNG: accuracy over confidence, above a histogram of confidence.

    Parameters
    ----------
    calibration
        As in ``metrics.json``: ``bins`` with ``low``, ``high``, ``epochs``, ``confidence`` and
        ``accuracy``, the last two null in an empty bin.
    """
    drawn = figure(4.8, 5.2)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=0)
    upper.text(
        0.02,
        0.03,
        "perfect calibration",
        color="#80868d",
        fontsize=7,
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
    )
    bins = [entry for entry in calibration["bins"] if entry["epochs"]]
    for many, marks in ((True, "-o"), (False, "o")):
        those = [entry for entry in bins if (entry["epochs"] >= FEW) == many]
        confidence = [entry["confidence"] for entry in those]
        accuracy = [entry["accuracy"] for entry in those]
        inside = BLUE if many else "white"
        upper.plot(confidence, accuracy, marks, color=BLUE, mfc=inside, linewidth=1.2, markersize=5)
    upper.set(ylim=(-0.02, 1.02), xlim=(0, 1), ylabel="accuracy")
    for entry in bins:
        width = entry["high"] - entry["low"]
        lower.bar(entry["low"], entry["epochs"], 0.92 * width, align="edge", color=BLUE)
        middle = (entry["low"] + entry["high"]) / 2
        words = f"{entry['epochs']:,}"
        lower.annotate(
            words,
            (middle, entry["epochs"]),
            (0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=INK,
        )
    lower.set(ylabel="epochs", xlabel="probability of the most likely stage")
    lower.yaxis.set_major_formatter("{x:,.0f}")
    lower.margins(y=0.18)
    for axes in (upper, lower):
        plain(axes)
    return png(drawn)


def spread(
    subjects: Sequence[Mapping[str, Any]], pooled: Mapping[str, Mapping[str, float | None]]
) -> bytes:
    """Draw the headline metrics of each subject as dots, and those of all epochs with intervals.

    Parameters
    ----------
    subjects
        As in ``metrics.json``: each has the headline metrics; null values are left out.
    pooled
        Metric → ``value``, ``low`` and ``high``; no interval is drawn where low is null.
    """
    headline = metric_table.headline()
    has_ends = any(pooled[metric.key]["low"] is not None for metric in headline)
    words = "all epochs, 95 % interval" if has_ends else "all epochs"
    drawn = figure(7, 1.1 + 0.95 * len(headline))
    axes = drawn.subplots()
    for line, metric in enumerate(headline):
        own = [subject[metric.key] for subject in subjects]
        values = np.sort([value for value in own if value is not None])
        offsets = 0.32 * ((np.arange(len(values)) * GOLDEN) % 1) - 0.3
        size = 26 if len(values) <= 100 else 9
        axes.scatter(
            values, line + offsets, size, BLUE, alpha=0.55, linewidths=0, label="one subject"
        )
        _interval(axes, pooled[metric.key], line + 0.22, words)
    axes.set_yticks(range(len(headline)), [metric.short for metric in headline])
    axes.set_ylim(len(headline) - 0.5, -0.5)
    right = min(1.0, axes.get_xlim()[1])
    axes.set_xlim(min(axes.get_xlim()[0], 0.95), right + 0.004)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    _legend(axes)
    plain(axes)
    return png(drawn)


def differences(comparisons: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw the differences of each further file from the first, with intervals, one row per file.

    Parameters
    ----------
    comparisons
        As in ``metrics.json``: ``file``, and ``figures`` with ``difference``, ``low`` and
        ``high``.
    """
    headline = metric_table.headline()
    drawn = figure(0.9 + 2.5 * len(headline), 1.2 + 0.34 * len(comparisons))
    panels = drawn.subplots(1, len(headline), sharex=True, sharey=True)
    for axes, metric in zip(panels, headline, strict=True):
        axes.axvline(0, color=INK, linewidth=0.8)
        for line, comparison in enumerate(comparisons):
            entry = comparison["figures"][metric.key]
            _interval(axes, {**entry, "value": entry["difference"]}, line, "")
        axes.set_xlabel(f"difference in {metric.short}")
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=3)
        plain(axes)
    left, right = panels[0].get_xlim()
    panels[0].set_xlim(min(left, -LEAST), max(right, LEAST))
    names = [literal(short(entry["file"])) for entry in comparisons]
    panels[0].set_yticks(range(len(comparisons)), names)
    panels[0].set_ylim(len(comparisons) - 0.5, -0.5)
    return png(drawn)


def _interval(axes: Axes, entry: Mapping[str, float | None], line: float, words: str) -> None:
    """Draw a value as a diamond with its interval, as far as they are defined."""
    if entry["value"] is None:
        return
    if entry["low"] is not None and entry["high"] is not None:
        axes.plot([entry["low"], entry["high"]], [line, line], color=VERMILION, linewidth=1.6)
    axes.plot([entry["value"]], [line], "D", color=VERMILION, markersize=5, label=words)


def _legend(axes: Axes) -> None:
    """Draw a legend above the axes, with each name once."""
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(
        handles.values(),
        handles,
        frameon=False,
        fontsize=8,
        ncols=2,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
    )
