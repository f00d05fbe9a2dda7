"""Terminal output of `psgimg explain`: the share of each lane in the answers, and the verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from psgimg.finetune.explaining.summary import Summary
from rich.console import Console
from rich.table import Table


def show(console: Console, summary: Summary, out: Path) -> None:
    """Print the share of each lane by answer, and whether the attribution can be trusted."""
    table = Table("answer", *summary.lanes, "pages", "correct", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, stage in summary.stages.items():
        shares = [
            "–" if np.isnan(lane.value) else f"[bold]{text}[/]" if i == stage.most else text
            for i, lane in enumerate(stage.shares)
            for text in [f"{100 * lane.value:.0f} %"]
        ]
        table.add_row(name, *shares, str(stage.n_pages), str(stage.n_right))
    console.print(table)
    console.print("Share of each lane in the evidence for the answer.", highlight=False)
    for (way, control), gain in summary.verdict.gains.items():
        console.print(f"  {way}, better than {control} by {gain} nats", highlight=False)
    console.print(f"[bold]{summary.verdict.words}[/]", highlight=False)
    console.print(f"[bold]{out}[/] is ready: {out / 'report.md'}", highlight=False)
