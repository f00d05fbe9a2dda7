"""Metric table: every scalar metric with its names and headings, in the order of presentation.

The terminal, reports, pictures, LaTeX tables and cards take names, order and headings from here; a
metric added to ``METRICS`` appears in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.metrics import Table


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
        :func:`psgimg.finetune.metrics.metrics.confusion`; NaN where undefined.
    headline
        Whether it is shown where space is limited: in pictures and in tables with many rows.
    group
        Common heading of a family of per-stage metrics; empty for a metric over all stages.
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
    group: str = ""
    meaning: str = ""


def _f1(stage: int, table: Table) -> float:
    return float(metrics.f1_per_stage(table)[stage])


METRICS: tuple[Metric, ...] = (
    Metric(
        "accuracy",
        "accuracy",
        "accuracy",
        "Accuracy",
        metrics.accuracy,
        headline=True,
        meaning="is the proportion of epochs assigned the reference scorer's stage",
    ),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        "balanced accuracy",
        "Balanced accuracy",
        metrics.balanced_accuracy,
        meaning="is the mean of that proportion over the stages, each weighted equally, however rare",
    ),
    Metric(
        "macro_f1",
        "macro-F1",
        "macro-F1",
        "Macro-F1",
        metrics.macro_f1,
        headline=True,
        meaning="is the mean F1 over the stages, each weighted equally, however rare",
    ),
    Metric(
        "kappa",
        "Cohen's kappa",
        "kappa",
        r"$\kappa$",
        metrics.kappa,
        headline=True,
        meaning="is agreement beyond chance: 0 is chance, 1 is perfect agreement",
    ),
    Metric(
        "mcc",
        "Matthews' correlation",
        "MCC",
        "MCC",
        metrics.mcc,
        meaning="is the correlation between predicted and scored stages: 0 is chance, 1 is perfect",
    ),
    *(
        Metric(f"f1_{stage}", f"F1 of {stage}", f"F1 {stage}", stage, partial(_f1, i), group="F1")
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
    *before, last = (metric.short for metric in chosen)
    return f"{', '.join(before)} and {last}" if before else last
