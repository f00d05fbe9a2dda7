"""What the terminal shows of a staged night."""

from __future__ import annotations

from pathlib import Path

from psgimg.finetune.staging import statistics_table
from psgimg.finetune.staging.staged_night import StagedNight
from rich.console import Console
from rich.table import Table


def show(console: Console, night: StagedNight, out: Path, names: tuple[str, ...]) -> None:
    """The statistics, how much there is to review, and the files."""
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
            "Figures are over the recording as far as --lights-off and --lights-on are not given.",
            highlight=False,
        )
    console.print(f"[bold]{out}[/] is ready: {', '.join(names)}", highlight=False)
