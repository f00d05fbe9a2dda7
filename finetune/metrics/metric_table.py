"""Metric table: every scalar metric with its names and headings, in the order of presentation.

The terminal, reports, pictures, LaTeX tables and cards take names, order and headings from here; a
metric added to ``METRICS`` appears in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from psgimg.builder import words
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.metrics import Table, Values


@dataclass(frozen=True)
class Stacked:
    """A metric's function that also computes many tables at once.

    Parameters
    ----------
    function
        Function of tables (..., 5, 6) that returns (...) values.
    """

    function: Callable[[Table], Values]

    def __call__(self, table: Table) -> float:
        """Return the value of a single table (5, 6)."""
        return float(self.function(table))


@dataclass(frozen=True)
class Metric:
    """A scalar metric of a confusion table.

    Parameters
    ----------
    key
        Name in ``metrics.json``, ``study.csv`` and, prefixed with ``eval_``, in the training log.
    title
        Full name, used where the metric has a row of its own.
    short
        Short name for column headings, axis labels and running text.
    latex
        LaTeX column heading in a table for a paper, below the heading of its group.
    of
        Function computing it from a (5, 6) table of
        :func:`psgimg.finetune.metrics.metrics.confusion`; NaN where undefined. A ``Stacked`` one
        is faster over many subjects.
    headline
        Whether it is shown where space is limited: in pictures and in tables with many rows.
    lowest
        Lowest possible value; the highest is 1.
    group
        Common heading of a family of per-stage metrics; empty for a metric over all stages.
    stage
        The stage that it measures; None for a metric over all stages.
    counts_unscored
        Whether a stage that was predicted, but that nobody has, enters it as 0.
    meaning
        Definition, phrased as the predicate of a sentence without its full stop; empty if ``title``
        is self-explanatory.
    """

    key: str
    title: str
    short: str
    latex: str
    of: Callable[[Table], float]
    headline: bool = False
    lowest: float = 0.0
    group: str = ""
    stage: int | None = None
    counts_unscored: bool = False
    meaning: str = ""

    def each(self, tables: Table) -> Values:
        """Return (n,) the values of tables (n, 5, 6)."""
        if isinstance(self.of, Stacked):
            return self.of.function(tables)
        return np.array([self.of(table) for table in tables], np.float64)


def _f1(stage: int, tables: Table) -> Values:
    return np.asarray(metrics.f1_per_stage(tables)[..., stage])


METRICS: tuple[Metric, ...] = (
    Metric(
        "accuracy",
        "accuracy",
        "accuracy",
        "Accuracy",
        Stacked(metrics.accuracy),
        headline=True,
        meaning="is the proportion of epochs assigned the reference scorer's stage",
    ),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        "balanced accuracy",
        "Balanced accuracy",
        Stacked(metrics.balanced_accuracy),
        meaning="is the mean of that proportion over the stages, each weighted equally, however rare",
    ),
    Metric(
        "macro_f1",
        "macro-F1",
        "macro-F1",
        "Macro-F1",
        Stacked(metrics.macro_f1),
        headline=True,
        counts_unscored=True,
        meaning="is the mean F1 over the stages, each weighted equally, however rare",
    ),
    Metric(
        "kappa",
        "Cohen's kappa",
        "kappa",
        r"$\kappa$",
        Stacked(metrics.kappa),
        headline=True,
        lowest=-1.0,
        meaning="is agreement beyond chance: 0 is chance, 1 is perfect agreement",
    ),
    Metric(
        "mcc",
        "Matthews' correlation",
        "MCC",
        "MCC",
        Stacked(metrics.mcc),
        lowest=-1.0,
        meaning="is the correlation between predicted and scored stages: 0 is chance, 1 is perfect",
    ),
    *(
        Metric(
            f"f1_{stage}",
            f"F1 of {stage}",
            f"F1 {stage}",
            stage,
            Stacked(partial(_f1, i)),
            group="F1",
            stage=i,
        )
        for i, stage in enumerate(STAGE_NAMES)
    ),
)
"""Metrics over all stages first, then each per-stage group in the order of ``STAGE_NAMES``."""


def headline() -> tuple[Metric, ...]:
    """Return the few metrics shown in pictures and in tables with many rows."""
    return tuple(metric for metric in METRICS if metric.headline)


def overall() -> tuple[Metric, ...]:
    """Return the metrics over all stages together."""
    return tuple(metric for metric in METRICS if not metric.group)


def per_stage() -> tuple[Metric, ...]:
    """Return the per-stage metrics, group by group."""
    return tuple(metric for metric in METRICS if metric.group)


def summary(table: Table) -> dict[str, float]:
    """Return every metric of a table by key, in the order of ``METRICS``; NaN where undefined."""
    return {metric.key: metric.of(table) for metric in METRICS}


def listed(chosen: tuple[Metric, ...]) -> str:
    """Return short names joined for running text: ``accuracy, macro-F1 and kappa``."""
    return words.listed(metric.short for metric in chosen)
