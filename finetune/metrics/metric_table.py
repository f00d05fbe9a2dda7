"""Metric table: every figure that is one number, with its names, in the order in which they are shown.

Terminal, reports, pictures, LaTeX and cards take names, order and headings from here: a metric that
is added to ``METRICS`` appears in all of them.
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
    """A figure of a confusion table.

    Parameters
    ----------
    key
        Its name in ``metrics.json``, ``study.csv`` and, behind ``eval_``, in the training log.
    title
        Its full name, where it has a row of its own.
    short
        Its name above a column, beside an axis and in a sentence.
    latex
        Its heading in a table for a paper, as LaTeX reads it; below that of its group.
    of
        Computes it from a table (5, 6) of :func:`psgimg.finetune.metrics.metrics.confusion`; NaN
        where it is undefined.
    headline
        Whether it is among the few that pictures and tables of many rows have room for.
    group
        What the figures of single stages are called together; empty for a figure of all stages.
    meaning
        What it is, as the predicate of a sentence without its full stop; empty if ``title`` says it.
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
        meaning="is the share of epochs that got the reference scorer's stage",
    ),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        "balanced accuracy",
        "Balanced accuracy",
        metrics.balanced_accuracy,
        meaning="is the mean of that share over the stages, each counting the same, however rare",
    ),
    Metric(
        "macro_f1",
        "macro-F1",
        "macro-F1",
        "Macro-F1",
        metrics.macro_f1,
        headline=True,
        meaning="is the mean F1 over the stages, each counting the same, however rare",
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
        meaning="is the correlation of predicted and scored stages: 0 is chance, 1 is perfect",
    ),
    *(
        Metric(f"f1_{stage}", f"F1 of {stage}", f"F1 {stage}", stage, partial(_f1, i), group="F1")
        for i, stage in enumerate(STAGE_NAMES)
    ),
)
"""Figures of all stages first, then each group with its stages in the order of ``STAGE_NAMES``."""


def headline() -> tuple[Metric, ...]:
    """The few metrics that pictures and tables of many rows show."""
    return tuple(metric for metric in METRICS if metric.headline)


def overall() -> tuple[Metric, ...]:
    """The metrics of all stages together."""
    return tuple(metric for metric in METRICS if not metric.group)


def per_stage() -> tuple[Metric, ...]:
    """The metrics of one stage each, group by group."""
    return tuple(metric for metric in METRICS if metric.group)


def summary(table: Table) -> dict[str, float]:
    """Every figure of a table by its key, in the order of ``METRICS``; NaN where it is undefined."""
    return {metric.key: metric.of(table) for metric in METRICS}


def listed(some: tuple[Metric, ...]) -> str:
    """Short names in a sentence: ``accuracy, macro-F1 and kappa``."""
    *before, last = (metric.short for metric in some)
    return f"{', '.join(before)} and {last}" if before else last
