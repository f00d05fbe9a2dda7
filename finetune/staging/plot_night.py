"""Plot night: a staged night on one page, with hypnogram, review marks, hypnodensity and statistics."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from psgimg.builder import atomic_file
from psgimg.builder.stages import STAGE_NAMES, Stage
from psgimg.finetune.metrics import plot_hypnogram as drawing
from psgimg.finetune.metrics.plotting import figure, png
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.staging import statistics_table
from psgimg.finetune.staging.staged_night import StagedNight

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

MARGIN_S = 30 * 60.0
"""Time shown before lights off and after lights on, so that day-long recordings show the night."""

REVIEW_COLOUR = "#b3127c"
"""Distinct from the colours of all stages."""

DPI = 110
LIGHT = "#fbf3d5"

LINE = 1 / 24
"""Height of a line of text, as a fraction of the page height."""


def write(path: Path, night: StagedNight) -> None:
    """Draw a staged night as a PNG file; the same night gives the same bytes."""
    drawn = figure(13, 5.6, DPI)
    curves, report = drawn.subfigures(1, 2, width_ratios=[10, 3.2], squeeze=False)[0]
    _curves(curves, night)
    _report(report.subplots(), night)
    who = f" by {drawing.literal(night.staged_by)}" if night.staged_by else ""
    drawn.suptitle(
        f"{drawing.literal(night.name)}: automatic staging{who}; to be reviewed by a scorer",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    with atomic_file.whole(path) as temporary:
        temporary.write_bytes(png(drawn))


def _curves(figure: SubFigure, night: StagedNight) -> None:
    """Draw the three time axes: stages, review marks and probabilities."""
    stages, review, density = figure.subplots(
        3, 1, sharex=True, height_ratios=[1, 0.07, 0.62], gridspec_kw={"hspace": 0.02}
    )
    scored = night.stages != UNSCORED
    drawing.draw_hypnogram(stages, night.onsets_s, night.stages, night.epoch_s)
    drawing.draw_hypnodensity(density, night.onsets_s, night.probabilities, night.epoch_s)
    density.set_ylabel("probability")
    _draw_review(review, night)
    before_start = -night.epoch_s  # so that a gap at the very start is hatched too
    onsets_s = np.insert(night.onsets_s[scored], 0, before_start)
    for axes in (stages, density):
        drawing.draw_gaps(axes, onsets_s, night.epoch_s, night.end_s)
    begin_s, end_s = _shown(night)
    _draw_lights(stages, night, begin_s, end_s)
    stages.tick_params(axis="x", labelbottom=False, length=0)
    review.tick_params(axis="x", labelbottom=False, length=0)
    drawing.draw_hours(density, begin_s, end_s, night.start)


def _draw_review(axes: Axes, night: StagedNight) -> None:
    """Draw a bar for each epoch of low confidence."""
    spans = [(onset_s / 3600, night.epoch_s / 3600) for onset_s in night.onsets_s[night.review]]
    axes.broken_barh(spans, (0, 1), color=REVIEW_COLOUR, linewidth=0.4)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], ["review"], color=REVIEW_COLOUR)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)


def _draw_lights(axes: Axes, night: StagedNight, begin_s: float, end_s: float) -> None:
    """Shade the time before lights off and after lights on."""
    for at_s, edge_s, text, side in (
        (night.lights_off_s, begin_s, "lights off", "left"),
        (night.lights_on_s, end_s, "lights on", "right"),
    ):
        if at_s is None:
            continue
        hours = at_s / 3600
        axes.axvspan(*sorted((hours, edge_s / 3600)), color=LIGHT, linewidth=0, zorder=0)
        axes.axvline(hours, color=drawing.INK, linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            f" {text} {night.clock(at_s)[:5]} ",
            (hours, 1),
            xycoords=("data", "axes fraction"),
            va="bottom",
            ha=side,
            fontsize=8,
        )


def _shown(night: StagedNight) -> tuple[float, float]:
    """Return the limits of the time axis in seconds."""
    off_s, on_s, length_s = night.lights_off_s, night.lights_on_s, night.end_s
    begin_s = 0.0 if off_s is None else max(0.0, off_s - MARGIN_S)
    return begin_s, length_s if on_s is None else min(length_s, on_s + MARGIN_S)


def _report(axes: Axes, night: StagedNight) -> None:
    """Write the statistics as text, with the colours of the stages as in the hypnodensity."""
    from matplotlib.patches import Rectangle

    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    blank = [("", "", "")]
    lines = [(name, "", value) for name, value in statistics_table.times(night)] + blank
    lines += [(name, "", value) for name, value in statistics_table.figures(night)] + blank
    lines += [("", "", "of TST"), *statistics_table.stages(night)]
    for row, (name, middle, last) in enumerate(lines):
        height = 1 - row * LINE
        indent = 0.0
        if name in STAGE_NAMES:
            indent = 0.06
            colour = drawing.STAGE_COLOURS[Stage[name]]
            axes.add_patch(Rectangle((0, height - 0.6 * LINE), 0.04, 0.6 * LINE, color=colour))
        for x, text, side in ((indent, name, "left"), (0.76, middle, "right"), (1, last, "right")):
            axes.text(x, height, text, ha=side, va="top", fontsize=8.5)
    review = textwrap.fill(statistics_table.review(night), 42)
    axes.text(0, 0, review, color=REVIEW_COLOUR, fontsize=8.5, va="bottom")
    for line in axes.texts:
        line.set_in_layout(False)  # long lines would squeeze the column
