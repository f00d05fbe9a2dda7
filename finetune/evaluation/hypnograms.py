"""Hypnograms: scored above predicted stages of the best, median and worst recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.epochs import Night
from psgimg.finetune.metrics import plot_hypnogram as hypnogram
from psgimg.finetune.metrics.metrics import NO_ANSWER
from psgimg.finetune.metrics.plotting import VERMILION, figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TIME = "hours from the recording's start, in epochs of {:g} s"


def selected(recordings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the indices of the best, median and worst recording by kappa, as far as they differ.

    Parameters
    ----------
    recordings
        As in ``metrics.json``. Recordings without a kappa, which have a single stage, are selected
        only if no recording has one.
    """
    with_kappa = [i for i, row in enumerate(recordings) if row["kappa"] is not None]
    ranked = sorted(with_kappa, key=lambda i: recordings[i]["kappa"], reverse=True)
    ranked = ranked or list(range(len(recordings)))
    places = {"only": 0, "best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    names = {1: ("only",), 2: ("best", "worst")}.get(len(ranked), ("best", "median", "worst"))
    return {name: ranked[places[name]] for name in names} if ranked else {}


def draw(night: Night) -> bytes:
    """Draw a recording as PNG: scored stages, disagreements, predicted stages and hypnodensity."""
    epoch_s = night.epoch_s
    onsets_s = night.epochs.astype(np.float64) * epoch_s
    labels, predictions, probabilities = night.labels, night.predictions, night.probabilities
    has_density = probabilities is not None and bool(np.isfinite(probabilities).any())
    drawn = figure(10, 5.2 if has_density else 4)
    ratios = (3, 0.35, 3, 1.6) if has_density else (3, 0.35, 3)
    panels = drawn.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    scored, differ, predicted = panels[:3]
    hypnogram.draw_hypnogram(scored, onsets_s, labels, epoch_s)
    hypnogram.draw_hypnogram(predicted, onsets_s, predictions, epoch_s)
    _disagreements(differ, night)
    scored.set_ylabel("scored")
    predicted.set_ylabel("predicted")
    if probabilities is not None and has_density:
        hypnogram.draw_hypnodensity(panels[3], onsets_s, probabilities, epoch_s)
        hypnogram.draw_colours(panels[3])
        panels[3].set_ylabel("probability")
    for axes in panels:
        hypnogram.draw_gaps(axes, onsets_s, epoch_s)
    drawn.align_ylabels(panels)
    hypnogram.draw_hours(
        panels[-1], onsets_s[0], onsets_s[-1] + epoch_s, words=TIME.format(epoch_s)
    )
    _epoch_numbers(scored, epoch_s)
    return png(drawn)


def _disagreements(axes: Axes, night: Night) -> None:
    """Mark the epochs on which the stages differ, in black if there was no valid answer."""
    missing = night.predictions == NO_ANSWER
    differ = (night.predictions != night.labels) & ~missing
    hours = night.epoch_s / 3600
    for mask, colour in ((differ, VERMILION), (missing, hypnogram.INK)):
        spans = [(epoch * hours, hours) for epoch in night.epochs[mask].tolist()]
        axes.broken_barh(spans, (0, 1), facecolors=colour, linewidth=0.3, edgecolors=colour)
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_ylabel("differ", rotation=0, ha="right", va="center")
    axes.tick_params(axis="x", length=0)
    axes.spines[:].set_visible(False)


def _epoch_numbers(axes: Axes, epoch_s: float) -> None:
    """Add a second time axis at the top, in epochs."""
    per_hour = 3600 / epoch_s

    def to_epochs(hours: npt.ArrayLike) -> hypnogram.Seconds:
        return np.asarray(hours, np.float64) * per_hour

    def to_hours(epochs: npt.ArrayLike) -> hypnogram.Seconds:
        return np.asarray(epochs, np.float64) / per_hour

    top = axes.secondary_xaxis("top", functions=(to_epochs, to_hours))
    top.set_xlabel("epoch")
    top.tick_params(labelsize=8)
