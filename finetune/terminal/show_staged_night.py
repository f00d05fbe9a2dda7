"""Terminal output of `psgimg stage`: the sleep statistics and the files written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from psgimg.builder.signals import quality
from psgimg.finetune.staging import statistics_table
from psgimg.finetune.staging.staged_night import StagedNight
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(console: Console, night: StagedNight, out: Path, names: tuple[str, ...]) -> None:
    """Print the sleep statistics, the number of epochs to review, and the files written."""
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, value in [*statistics_table.times(night), *statistics_table.figures(night)]:
        table.add_row(name, value)
    for name, minutes, share in statistics_table.stages(night):
        table.add_row(name, minutes, f"{share} of TST" if share else "")
    console.print(table)
    console.print(statistics_table.review(night), highlight=False)
    if night.lights_off_s is None or night.lights_on_s is None:
        console.print(
            "Without --lights-off or --lights-on, statistics count from the start or to the end of "
            "the recording.",
            highlight=False,
        )
    _show_quality(console, night)
    console.print(f"[bold]{out}[/] is ready: {', '.join(names)}", highlight=False)


def _show_quality(console: Console, night: StagedNight) -> None:
    """Print the defects of each lane, if a lane has fewer usable epochs than in a good night."""
    if all(lane["usable"] >= quality.GOOD for lane in night.quality.values()):
        return
    console.print(
        f"Signal quality, of {np.isfinite(night.confidence).sum():,} epochs:", highlight=False
    )
    table = Table("lane", *quality.DEFECTS, "usable", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, lane in night.quality.items():
        shares = [quality.percent(lane[defect]) for defect in quality.DEFECTS]
        table.add_row(escape(name), *shares, quality.percent(lane["usable"]))
    console.print(table)
