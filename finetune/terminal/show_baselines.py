"""What the terminal shows of baselines: a bar for each piece of work, and how they turned out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.predictions import Predictions
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


class BaselineProgress:
    """A progress bar for each piece of work."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("·"),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> BaselineProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, what: str, n: int) -> None:
        """A piece of work in ``n`` steps begins."""
        self._task = self._bar.add_task(what, total=n)

    def advance(self) -> None:
        """A step of it is done."""
        self._bar.advance(self._task)

    def stop(self) -> None:
        """It is over, in fewer steps than there might have been."""
        self._bar.update(self._task, total=self._bar.tasks[self._task].completed)

    def note(self, message: str) -> None:
        """One line that the user should know."""
        self._bar.console.print(message, highlight=False)


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
