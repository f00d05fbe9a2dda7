"""What the terminal shows of baselines: a bar for each piece of work, and how they turned out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.predictions import Predictions
from rich.console import Console
from rich.table import Table


def show(console: Console, found: Mapping[str, Predictions], out: Path) -> None:
    """Figures by method."""
    shown = Table(
        "method",
        "pages",
        "accuracy",
        "macro-F1",
        "kappa",
        *(f"F1 {name}" for name in STAGE_NAMES),
        box=None,
        header_style="bold",
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, predictions in found.items():
        table = metrics.confusion(predictions.labels, predictions.predictions)
        figures = (metrics.accuracy(table), metrics.macro_f1(table), metrics.kappa(table))
        values = [*figures, *metrics.f1_per_stage(table)]
        shown.add_row(name, f"{len(predictions):,}", *(f"{value:.3f}" for value in values))
    console.print(shown)
    files = " ".join(str(out / f"{name}.parquet") for name in found)
    console.print(f"[bold]{out}[/] is ready. Then: psgimg evaluate {files}", highlight=False)
