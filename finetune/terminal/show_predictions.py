"""Terminal output of `psgimg predict`: the confusion matrix and the headline metrics."""

from __future__ import annotations

from pathlib import Path

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.metrics.predictions import Predictions
from rich.console import Console
from rich.table import Table


def show_predictions(console: Console, predictions: Predictions, out: Path) -> None:
    """Print the confusion matrix and metrics; a page without a valid answer counts as wrong."""
    table = metrics.confusion(predictions.labels, predictions.predictions)
    shown = Table("scored as", *STAGE_NAMES, "no answer", "F1", box=None, header_style="bold")
    for column in shown.columns[1:]:
        column.justify = "right"
    for stage, counts, f1 in zip(STAGE_NAMES, table, metrics.f1_per_stage(table), strict=True):
        shown.add_row(stage, *(f"{n:,}" for n in counts), f"{f1:.3f}")
    console.print(shown)
    figures = [f"{metric.short} {metric.of(table):.3f}" for metric in metric_table.headline()]
    console.print(f"{len(predictions):,} pages: {', '.join(figures)}", highlight=False)
    console.print(f"[bold]{out}[/] is ready. Next: psgimg evaluate {out}", highlight=False)
