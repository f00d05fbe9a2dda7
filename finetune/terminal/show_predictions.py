"""What the terminal shows: progress over pages, and how predictions turned out."""

from __future__ import annotations

from pathlib import Path

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.predictions import Predictions
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table


class PageProgress:
    """Progress bar over pages: how many are done, time gone, time left.

    Parameters
    ----------
    doing
        What is done with them.
    """

    def __init__(self, console: Console, doing: str = "staging") -> None:
        self._bar = Progress(
            TextColumn(doing),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("pages ·"),
            TimeElapsedColumn(),
            TextColumn("· left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> PageProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, n_pages: int, n_kept: int = 0) -> None:
        """``n_pages`` are to be done; ``n_kept`` are there from an earlier run."""
        if n_kept:
            self.note(f"{n_kept} pages are there from an earlier run and stay as they are")
        self._bar.update(self._task, total=n_pages)

    def advance(self, n_pages: int = 1) -> None:
        """Some pages are done."""
        self._bar.advance(self._task, n_pages)

    def note(self, message: str) -> None:
        """One line that the user should know before the first page."""
        self._bar.console.print(message, highlight=False)


def show_predictions(console: Console, found: Predictions, out: Path) -> None:
    """The confusion matrix and its figures. A page without a valid answer is wrong, not absent."""
    table = metrics.confusion(found.labels, found.predictions)
    shown = Table("scored as", *STAGE_NAMES, "no answer", "F1", box=None, header_style="bold")
    for column in shown.columns[1:]:
        column.justify = "right"
    for stage, counts, f1 in zip(STAGE_NAMES, table, metrics.f1_per_stage(table), strict=True):
        shown.add_row(stage, *(f"{n:,}" for n in counts), f"{f1:.3f}")
    console.print(shown)
    console.print(
        f"{len(found):,} pages: accuracy {metrics.accuracy(table):.3f}, macro-F1 "
        f"{metrics.macro_f1(table):.3f}, kappa {metrics.kappa(table):.3f}",
        highlight=False,
    )
    console.print(f"[bold]{out}[/] is ready; psgimg evaluate {out}", highlight=False)
