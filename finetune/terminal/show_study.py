"""Terminal output of `psgimg study`: its cells, commands and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder.console import new_table, styled
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.study import baseline_cells, plan, runs, study_report
from psgimg.finetune.study.plan import Cell
from rich.console import Console


def show_plan(console: Console, cells: Sequence[Cell], out: Path) -> None:
    """Print the cells with their factors, and every command; completed ones are marked."""
    factors = list(cells[0].factors)
    claim = ["claim"] if any(cell.claims for cell in cells) else []
    shown = new_table("", *claim, *factors, "", left=("", *claim, *factors))
    for number, cell in enumerate(cells, 1):
        values = [cell.factors[name] or "–" for name in factors]
        done = "done" if runs.is_done(out, cell.evaluation) else ""
        shown.add_row(str(number), *([", ".join(cell.claims)] if claim else []), *values, done)
    console.print(shown)
    for line in baseline_cells.without_effect([cell.factors for cell in cells]):
        console.print(line)
    steps = plan.steps(cells)
    for step, command in zip(steps, plan.commands(cells), strict=True):
        mark = "done  " if runs.is_done(out, step) else "      "
        console.print(mark + command)
    console.print(f"{len(cells)} cells, {len(steps)} commands")


def show_study(console: Console, values: Mapping[str, Any], out: Path) -> None:
    """Print the headline metrics of each setting, and the path of the report."""
    if values["settings"]:
        headline = metric_table.headline()
        heads = [metric.short for metric in headline]
        shown = new_table("setting", *heads, left=("setting", *heads))
        for setting in values["settings"]:
            figures = [
                study_report.interval(setting["figures"][metric.key], digits=2)
                for metric in headline
            ]
            shown.add_row(setting["name"], *figures)
        console.print(shown)
    console.print(styled((str(out), "bold"), f" is ready: {out / study_report.PAGE}"))
