"""Intervals: metrics and their paired differences, each with its jackknife interval over subjects.

A metric is also averaged over cells, such as a model's seeds; a subject then leaves all cells at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import listed
from psgimg.finetune.metrics import jackknife, metric_table
from psgimg.finetune.metrics.jackknife import FEWEST, Ends, Interval
from psgimg.finetune.metrics.metric_table import Metric
from psgimg.finetune.metrics.metrics import N_STAGES

Tables = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Values = dict[str, dict[str, Any]]


class Difference(NamedTuple):
    """A metric of two sets of predictions for the same epochs; ``difference`` is second − first.

    ``reason`` says why there is no interval; None if there is one.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    reason: str | None = None


def intervals(tables: Tables) -> dict[str, Interval]:
    """Return the metrics over all subjects, each with its interval.

    Parameters
    ----------
    tables
        (n_subjects, 5, 6), one confusion table per subject, in any order.

    Returns
    -------
    Mapping with the keys of :func:`psgimg.finetune.metrics.metric_table.summary`.
    """
    return means(tables[None])


def differences(first: Tables, second: Tables) -> dict[str, Difference]:
    """Return the paired difference of two sets of predictions in every metric.

    Parameters
    ----------
    first, second
        (n_subjects, 5, 6), the same subjects in the same order.
    """
    return mean_differences(first[None], second[None])


def means(cells: Tables) -> dict[str, Interval]:
    """Return the mean of every metric over cells (n_cells, n_subjects, 5, 6), with its interval.

    A subject without epochs in a cell has a table of zeros there.
    """
    found = {}
    for metric in metric_table.METRICS:
        value, without = _over_all(metric, cells), _without_each(metric, cells)
        found[metric.key] = Interval(value, *_ends(metric, value, without, cells, pair=False))
    return found


def mean_differences(firsts: Tables, seconds: Tables) -> dict[str, Difference]:
    """Return the mean difference over pairs of cells, second − first, of every metric.

    Parameters
    ----------
    firsts, seconds
        (n_pairs, n_subjects, 5, 6), the same subjects in the same order throughout.
    """
    both = np.concatenate([firsts, seconds])
    found = {}
    for metric in metric_table.METRICS:
        first, second = _over_all(metric, firsts), _over_all(metric, seconds)
        without = _without_each(metric, seconds) - _without_each(metric, firsts)
        ends = _ends(metric, second - first, without, both, pair=True)
        found[metric.key] = Difference(first, second, second - first, *ends)
    return found


def as_values(figures: Mapping[str, Interval] | Mapping[str, Difference]) -> Values:
    """Return metrics as nested mappings, in the form of ``metrics.json``."""
    return {name: figure._asdict() for name, figure in figures.items()}


def without_interval(
    figures: Mapping[str, Mapping[str, Any]], metrics: Sequence[Metric]
) -> dict[str, str]:
    """Return which of some metrics have no interval: reason → their names, for running text.

    Parameters
    ----------
    figures
        As in ``metrics.json``.
    metrics
        The metrics to look at.
    """
    missing: dict[str, list[Metric]] = {}
    for metric in metrics:
        if reason := figures[metric.key]["reason"]:
            missing.setdefault(reason, []).append(metric)
    return {reason: metric_table.listed(tuple(some)) for reason, some in missing.items()}


def finite(value: Any) -> Any:
    """Return a value with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def _over_all(metric: Metric, cells: Tables) -> float:
    """Return the mean over cells of a metric over all subjects; NaN if undefined in one of them."""
    return float(np.mean([metric.of(cell) for cell in cells.sum(axis=1)]))


def _without_each(metric: Metric, cells: Tables) -> Floats:
    """Return (n_subjects,) the mean over cells of a metric without each subject."""
    left = cells.sum(axis=1, keepdims=True) - cells
    return np.asarray(np.mean([metric.each(tables) for tables in left], axis=0))


def _ends(metric: Metric, value: float, without: Floats, cells: Tables, *, pair: bool) -> Ends:
    """Return the interval of a metric, or of a difference if ``pair``; cells as for :func:`means`."""
    by_subject = cells.sum(axis=0)
    epochs = by_subject.sum(axis=(1, 2))
    if (n_subjects := int((epochs > 0).sum())) < FEWEST:
        return Ends(np.nan, np.nan, jackknife.too_few(n_subjects))
    if metric.stage is not None:
        has = by_subject[:, metric.stage].sum(axis=1) > 0
        if has.sum() < FEWEST:
            name, few = STAGE_NAMES[metric.stage], jackknife.too_few(int(has.sum()))
            return Ends(np.nan, np.nan, f"{name} was scored in {few}")
        epochs = np.where(has, epochs, 0)
    if metric.counts_unscored and (names := _predicted_only(by_subject)):
        return Ends(np.nan, np.nan, f"{names} predicted, but scored in no subject")
    reach = 1 - metric.lowest
    within = (-reach, reach) if pair else (metric.lowest, 1.0)
    return jackknife.ends(value, without, epochs, within=within)


def _predicted_only(tables: Tables) -> str:
    """Return which stages were predicted but never scored: ``N1 and N3 were``; empty if none."""
    total = tables.sum(axis=0)
    only = (total.sum(axis=1) == 0) & (total.sum(axis=0)[:N_STAGES] > 0)
    names = listed(name for name, found in zip(STAGE_NAMES, only, strict=True) if found)
    return f"{names} {'was' if only.sum() == 1 else 'were'}" if names else ""
