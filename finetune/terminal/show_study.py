"""Terminal output of `psgimg study`: its cells, commands and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.finetune.metrics import metric_table
from psgimg.finetune.study import plan, runs, study_report
from psgimg.finetune.study.plan import Cell
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show_plan(console: Console, cells: Sequence[Cell], out: Path) -> None:
    """Print the cells with their factors, and every command; completed ones are marked."""
    factors = list(cells[0].factors)
    shown = Table("", *factors, "", box=None, header_style="bold")
    for number, cell in enumerate(cells, 1):
        values = [escape(cell.factors[name] or "–") for name in factors]
        done = "done" if runs.is_done(out, cell.evaluation) else ""
        shown.add_row(str(number), *values, done)
    console.print(shown)
    steps = plan.steps(cells)
    for step, command in zip(steps, plan.commands(cells), strict=True):
        mark = "done  " if runs.is_done(out, step) else "      "
        console.print(escape(mark + command), highlight=False)
    console.print(f"{len(cells)} cells, {len(steps)} commands", highlight=False)


def show_study(console: Console, values: Mapping[str, Any], out: Path) -> None:
    """Print the headline metrics of each setting, and the path of the report."""
    if values["settings"]:
        headline = metric_table.headline()
        heads = [metric.short for metric in headline]
        shown = Table("setting", *heads, box=None, header_style="bold")
        for setting in values["settings"]:
            figures = [
                study_report.interval(setting["figures"][metric.key], digits=2)
                for metric in headline
            ]
            shown.add_row(*map(escape, (setting["name"], *figures)))
        console.print(shown)
    console.print(f"[bold]{out}[/] is ready: {out / study_report.PAGE}", highlight=False)
