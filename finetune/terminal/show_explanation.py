"""Terminal output of `psgimg explain`: the share of each lane in the answers, and the verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from psgimg.builder.console import new_table, styled
from psgimg.builder.words import percent
from psgimg.finetune.explaining.summary import Summary
from rich.console import Console
from rich.text import Text


def show(console: Console, summary: Summary, out: Path) -> None:
    """Print the share of each lane by answer, and whether the attribution can be trusted."""
    table = new_table("answer", *summary.lanes, "pages", "correct", left=("answer",))
    for name, stage in summary.stages.items():
        shares = [_share(lane.value, i == stage.most) for i, lane in enumerate(stage.shares)]
        table.add_row(name, *shares, str(stage.n_pages), str(stage.n_right))
    console.print(table)
    console.print("Share of each lane in the evidence for the answer.")
    for (way, control), gain in summary.verdict.gains.items():
        console.print(f"  {way}, better than {control} by {gain} nats")
    console.print(styled((summary.verdict.words, "bold")))
    console.print(styled((str(out), "bold"), f" is ready: {out / 'report.md'}"))


def _share(value: float, is_most: bool) -> Text:
    """Format the share of a lane; the largest of an answer is in bold."""
    text = "–" if np.isnan(value) else percent(value)
    return styled((text, "bold" if is_most else ""))
