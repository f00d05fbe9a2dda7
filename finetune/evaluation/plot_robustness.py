"""Plot robustness: metrics over the severity of signal corruption, one line per kind of corruption."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from psgimg.builder.words import listed
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.plot_hypnogram import FAINT, INK, literal, plain
from psgimg.finetune.metrics.plotting import LINE_COLOURS, figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "D", "^")
LESS_IS_WORSE = ("dB",)
"""Units, by their first word, whose axis is inverted so that severity increases to the right."""

ABBREVIATED = ("eeg", "eog", "emg", "ecg")
"""Kinds of lane as a corruption names them."""

Twin = tuple[float, Mapping[str, Any]]


def draw(comparisons: Sequence[Mapping[str, Any]], *, clean: bool) -> bytes | None:
    """Draw metrics over severity as PNG, one column per unit; None without corrupted signals.

    Bars show the paired interval of the difference from the first file: a bar that ends below the
    dashed line is a drop.

    Parameters
    ----------
    comparisons
        As in ``metrics.json``; those whose ``source`` has a ``corruption`` with a severity are
        drawn.
    clean
        Whether the first file is of uncorrupted signals.
    """
    units = _series(comparisons)
    if not units:
        return None
    headline = metric_table.headline()
    drawn = figure(1.8 + 2.5 * len(units), 0.2 + 2 * len(headline))
    panels = drawn.subplots(len(headline), len(units), sharex="col", sharey="row", squeeze=False)
    for column, (unit, kinds) in enumerate(units.items()):
        for row, metric in enumerate(headline):
            axes: Axes = panels[row, column]
            for (kind, twins), ink, marker in zip(
                kinds.items(), cycle(LINE_COLOURS), cycle(MARKERS)
            ):
                _line(axes, metric.key, kind, twins, ink, marker)
            first = next(iter(kinds.values()))[0][1]["figures"][metric.key]["first"]
            if first is not None:
                label = "as recorded" if clean else "first file"
                axes.axhline(first, color=INK, linestyle="--", linewidth=0.9, label=label)
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            plain(axes)
            if not column:
                axes.set_ylabel(metric.short)
        panels[0, column].legend(
            frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.0)
        )
        panels[-1, column].set_xlabel(unit)
        severities = {severity for twins in kinds.values() for severity, _ in twins}
        if len(severities) == 1:
            panels[-1, column].set_xticks(sorted(severities))
        if unit.split()[0] in LESS_IS_WORSE:
            panels[-1, column].invert_xaxis()
    return png(drawn)


def _series(comparisons: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[Twin]]]:
    """Group corrupted twins by unit and by kind and lanes of corruption, in order of severity."""
    units: dict[str, dict[str, list[Twin]]] = defaultdict(lambda: defaultdict(list))
    for comparison in comparisons:
        corruption: Any = (comparison["source"] or {}).get("corruption")
        if _has_severity(corruption):
            name = literal(f"{corruption['kind']}, {_lanes_text(corruption['lanes'])}")
            units[corruption["unit"]][name].append((corruption["severity"], comparison))
    for kinds in units.values():
        for twins in kinds.values():
            twins.sort(key=lambda twin: twin[0])
    return {unit: dict(kinds) for unit, kinds in units.items()}


def _lanes_text(names: Sequence[Any]) -> str:
    """Return the lanes of a corruption in words, such as ``EEG and EOG lanes``."""
    words = [str(name).upper() if name in ABBREVIATED else str(name) for name in names]
    return f"{listed(words)} lanes"


def _has_severity(corruption: Any) -> bool:
    """Whether a value describes one corruption as psgimg does; other tools may write anything."""
    return (
        isinstance(corruption, Mapping)
        and isinstance(corruption.get("severity"), int | float)
        and isinstance(corruption.get("lanes"), list)
        and all(
            isinstance(corruption.get(key), str) and corruption[key].strip()
            for key in ("kind", "unit")
        )
    )


def _line(axes: Axes, name: str, kind: str, twins: Sequence[Twin], ink: str, marker: str) -> None:
    """Draw a metric of one kind of corruption over severity, averaging files of equal severity."""
    severities = np.array([severity for severity, _ in twins])
    entries = [comparison["figures"][name] for _, comparison in twins]
    values = np.array([entry["second"] for entry in entries], float)  # null becomes NaN
    for severity, value, entry in zip(severities, values, entries, strict=True):
        if entry["low"] is not None:
            ends = entry["first"] + np.array([entry["low"], entry["high"]])
            axes.plot([severity, severity], ends, color=ink, linewidth=1.2, alpha=0.7)
        axes.plot([severity], [value], marker, color=ink, markersize=4.5)
    steps = np.unique(severities)
    means = [values[severities == step].mean() for step in steps]
    axes.plot(steps, means, color=ink, linewidth=1.2, marker=marker, markersize=0, label=kind)
