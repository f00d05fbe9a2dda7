"""Terminal output of `psgimg stage`: the sleep statistics and the files written."""

from __future__ import annotations

from pathlib import Path

from psgimg.builder.console import new_table, styled
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
            "the recording."
        )
    console.print(styled((str(out), "bold"), f" is ready: {', '.join(names)}"))
