"""Terminal output of `psgimg evaluate`: metrics with their intervals, comparisons and notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.card.templates import counted
from psgimg.builder.console import new_table, styled
from psgimg.finetune.evaluation.evaluate import Evaluation
from psgimg.finetune.metrics import metric_table
from rich.console import Console
from rich.table import Table

Figure = Mapping[str, float | None]


def show(console: Console, evaluation: Evaluation, out: Path) -> None:
    """Print the metrics, the comparisons, the notes and the path of the report."""
    values = evaluation.values
    console.print(_figures({values["file"]: values["pooled"]["figures"]}))
    if scorers := values["scorers"]:
        console.print()
        console.print(f"{counted(scorers['epochs'], 'epoch')} were scored twice:")
        columns = {"predictions": scorers["model_on_same"], "second scorer": scorers["figures"]}
        console.print(_figures(columns))
    for comparison in values["comparisons"]:
        console.print()
        console.print("On the same epochs:")
        console.print(_differences(comparison, values["file"]))
    counts = values["counts"]
    summary = ", ".join(counted(counts[f"{n}s"], n) for n in ("epoch", "recording", "subject"))
    if counts["subjects"] >= values["interval"]["fewest"]:
        summary += f"; {values['interval']['level']:.0%} intervals over subjects in brackets"
    console.print()
    console.print(summary)
    for note in evaluation.notes:
        console.print(styled(("·", "yellow"), f" {note}"))
    console.print(styled((str(out), "bold"), f" is ready: {out / 'report.html'}"))


def _figures(columns: Mapping[str, Mapping[str, Figure]]) -> Table:
    """Return a table with a column of metrics for each set of predictions."""
    table = new_table("", *columns, left=("",))
    for metric in metric_table.METRICS:
        figures = [_shown(column[metric.key]) for column in columns.values()]
        table.add_row(metric.title, *figures)
    return table


def _differences(comparison: Mapping[str, Any], first: str) -> Table:
    table = new_table("", first, comparison["file"], "difference", left=("",))
    for metric in metric_table.METRICS:
        figure = comparison["figures"][metric.key]
        both = _number(figure["first"]), _number(figure["second"])
        difference = {**figure, "value": figure["difference"]}
        table.add_row(metric.title, *both, _shown(difference, "+"))
    return table


def _shown(figure: Figure, sign: str = "") -> str:
    """Format a metric and its interval."""
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    if low is None:
        return _number(value, sign)
    return f"{_number(value, sign)} [{_number(low, sign)}, {_number(high, sign)}]"


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}"
