"""Terminal output of `psgimg stage`: the sleep statistics and the files written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from psgimg.builder.console import new_table, styled
from psgimg.builder.signals import quality
from psgimg.finetune.staging import statistics_table
from psgimg.finetune.staging.staged_night import StagedNight
from rich.console import Console


def show(console: Console, night: StagedNight, out: Path, names: tuple[str, ...]) -> None:
    """Print the sleep statistics, the number of epochs to review, and the files written."""
    table = new_table("name", "value", "share", left=("name",), has_heads=False)
    for name, value in [*statistics_table.times(night), *statistics_table.figures(night)]:
        table.add_row(name, value)
    for name, minutes, share in statistics_table.stages(night):
        table.add_row(name, minutes, f"{share} of TST" if share else "")
    console.print(table)
    console.print(statistics_table.review(night))
    if night.lights_off_s is None or night.lights_on_s is None:
        console.print(
            "Without --lights-off or --lights-on, statistics count from the start or to the end of "
            f"the {'scoring' if night.scoring else 'recording'}."
        )
    _show_quality(console, night)
    console.print(styled((str(out), "bold"), f" is ready: {', '.join(names)}"))


def _show_quality(console: Console, night: StagedNight) -> None:
    """Print the defects of each lane, if a lane has fewer usable epochs than in a good night."""
    if all(lane["usable"] >= quality.GOOD for lane in night.quality.values()):
        return
    console.print(f"Signal quality, of {np.isfinite(night.confidence).sum():,} epochs:")
    table = new_table("lane", *quality.DEFECTS, "usable", left=("lane",))
    for name, lane in night.quality.items():
        shares = [quality.percent(lane[defect]) for defect in quality.DEFECTS]
        table.add_row(name, *shares, quality.percent(lane["usable"]))
    console.print(table)
