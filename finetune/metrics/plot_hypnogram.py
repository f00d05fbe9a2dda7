"""Plot hypnogram: stages of a night as a step line and their probabilities as stacked areas.

All functions draw on matplotlib axes whose time axis is in hours from the recording's start. Epochs
that are not adjacent are not joined; time without a stage is hatched by ``draw_gaps``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (Stage.N3, Stage.N2, Stage.N1, Stage.REM, Stage.W)
"""Levels of a hypnogram from the bottom up; REM is between N1 and W, as is customary."""

STAGE_COLOURS = {
    Stage.W: "#f0a92b",
    Stage.N1: "#c6e3f5",
    Stage.N2: "#549ad0",
    Stage.N3: "#163f6b",
    Stage.REM: "#b83a24",
}
"""Deeper sleep is a darker blue. All five differ in lightness, so that they remain distinct in
greyscale and with colour vision deficiency."""

INK, FAINT = "#222222", "#c9cdd2"
MOST_HOURS = 12
"""Longer recordings have a tick every second hour."""

Seconds = npt.NDArray[np.float64]
Stages = npt.NDArray[np.integer]


def draw_hypnogram(axes: Axes, onsets_s: Seconds, stages: Stages, epoch_s: float) -> None:
    """Draw stages as a step line, with REM as a thick bar.

    Parameters
    ----------
    axes
        Axes to draw on.
    onsets_s
        (n,) seconds from the recording's start, ascending.
    stages
        (n,) 0 to 4; the line is interrupted at any other value (-1: unscored or no answer).
    epoch_s
        Length of an epoch in seconds.
    """
    heights = np.full(len(stages), np.nan)
    for level, stage in enumerate(LEVELS):
        heights[stages == stage] = level
    hours, (line,) = _steps(onsets_s, heights[None], epoch_s)
    axes.plot(hours, line, color=INK, linewidth=0.9, solid_joinstyle="miter", zorder=3)
    rem = np.where(line == LEVELS.index(Stage.REM), line, np.nan)
    axes.plot(
        hours, rem, color=STAGE_COLOURS[Stage.REM], linewidth=4, solid_capstyle="butt", zorder=4
    )
    axes.set_ylim(-0.5, len(LEVELS) - 0.5)
    axes.set_yticks(range(len(LEVELS)), [stage.name for stage in LEVELS])
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    plain(axes)


def draw_hypnodensity(
    axes: Axes, onsets_s: Seconds, probabilities: npt.NDArray[np.float64], epoch_s: float
) -> None:
    """Draw stage probabilities as stacked areas, in the order of the hypnogram's levels.

    Parameters
    ----------
    axes
        Axes to draw on.
    onsets_s
        (n,) seconds from the recording's start, ascending.
    probabilities
        (n, 5) in the order of ``STAGE_NAMES``; left blank where NaN.
    epoch_s
        Length of an epoch in seconds.
    """
    tops = np.cumsum(probabilities[:, list(LEVELS)].T, axis=0)
    hours, areas = _steps(onsets_s, tops, epoch_s)
    for stage, area in reversed(list(zip(LEVELS, areas, strict=True))):  # no seams between them
        axes.fill_between(hours, area, color=STAGE_COLOURS[stage], linewidth=0)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    plain(axes)


def draw_colours(axes: Axes) -> None:
    """Draw a legend of stage colours to the right of the axes."""
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=STAGE_COLOURS[stage], label=stage.name) for stage in LEVELS[::-1]],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=7.5,
        handlelength=1,
        handleheight=1,
        labelspacing=0.25,
    )


def draw_gaps(axes: Axes, onsets_s: Seconds, epoch_s: float, until_s: float | None = None) -> None:
    """Hatch the time that no epoch covers.

    Parameters
    ----------
    axes
        Axes to draw on.
    onsets_s
        (n,) onsets of the existing epochs in seconds from the recording's start, ascending.
    epoch_s
        Length of an epoch in seconds.
    until_s
        End of the recording in seconds. If given, the time before the first epoch and after the last
        one is hatched as well; if None, only the time between epochs.
    """
    begins, ends = onsets_s[:-1] + epoch_s, onsets_s[1:]
    if until_s is not None:
        begins = np.concatenate([[0.0], onsets_s + epoch_s])
        ends = np.append(onsets_s, until_s)
    for begin, end in zip(begins, ends, strict=True):
        if end - begin > epoch_s / 2:
            axes.axvspan(
                begin / 3600,
                end / 3600,
                facecolor="#f4f5f6",
                edgecolor=FAINT,
                hatch="////",
                linewidth=0,
                zorder=0,
            )


def draw_hours(
    axes: Axes, begin_s: float, end_s: float, start: datetime | None = None, words: str = ""
) -> None:
    """Label the time axis with clock time if the start is known, else with hours since the start.

    Parameters
    ----------
    axes
        Axes to label.
    begin_s, end_s
        Limits of the axis in seconds from the recording's start.
    start
        Start of the recording; None if unknown.
    words
        Axis label; if empty, one that fits the ticks.
    """
    begin, end = begin_s / 3600, end_s / 3600
    offset = 0.0
    if start is not None:
        offset = (start.replace(tzinfo=None) - _hour(start)) / timedelta(hours=1)
    step = (1 if end - begin > 2 else 0.5) if end - begin <= MOST_HOURS else 2
    first = np.ceil((begin + offset) / step) * step
    ticks = np.arange(first, end + offset + 1e-9, step)
    axes.set_xticks(ticks - offset, [_clock(tick, start) for tick in ticks])
    axes.set_xlim(begin, end)
    axes.set_xlabel(words or ("hours from the recording's start" if start is None else "time"))


def literal(words: str) -> str:
    """Escape external text for matplotlib, so that a dollar sign does not start a formula."""
    return words.replace("$", r"\$")


def plain(axes: Axes) -> None:
    """Remove the top and right spines and draw the grid below the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _hour(start: datetime) -> datetime:
    """Return the preceding midnight, from which clock hours are counted."""
    return start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)


def _clock(hours: float, start: datetime | None) -> str:
    if start is None:
        return f"{hours:g}"
    return f"{int(hours) % 24:02d}:{round(hours % 1 * 60):02d}"


def _steps(
    onsets_s: Seconds, values: npt.NDArray[np.float64], epoch_s: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return step coordinates: one flat segment per epoch, then NaN if the next is not adjacent.

    Parameters
    ----------
    values
        (k, n)

    Returns
    -------
    (3n,) hours, (k, 3n) values.
    """
    ends = onsets_s + epoch_s
    follows = np.append(np.abs(onsets_s[1:] - ends[:-1]) < epoch_s / 2, False)
    hours = np.stack([onsets_s, ends, ends], axis=1).reshape(-1) / 3600
    after = np.where(follows, values, np.nan)
    return hours, np.stack([values, values, after], axis=2).reshape(len(values), -1)
