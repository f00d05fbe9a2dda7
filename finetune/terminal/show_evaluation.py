"""Terminal output of `psgimg evaluate`: metrics with their intervals, comparisons and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder.console import new_table, styled
from psgimg.builder.words import counted, listed, percent
from psgimg.finetune.evaluation.clinical.measures import MEASURES
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
    if people := values["people"]:
        console.print()
        console.print(
            f"{counted(people['epochs'], 'epoch')} have votes; agreement with the other scorers:"
        )
        console.print(
            _figures({"predictions": people["model_on_same"], "each scorer": people["figures"]})
        )
    if decoded := values["decoded"]:
        console.print()
        console.print("Nights decoded, compared with each page by itself:")
        console.print(_change(decoded["figures"]))
    if doubt := values["doubt"]:
        console.print()
        console.print(_doubt(doubt))
    for comparison in values["comparisons"]:
        console.print()
        console.print("On the same epochs:")
        console.print(_differences(comparison, values["file"]))
    if values["review"]:
        console.print()
        console.print(_review(values["review"]))
    _show_clinical(console, values)
    counts = values["counts"]
    summary = ", ".join(counted(counts[f"{n}s"], n) for n in ("epoch", "recording", "subject"))
    if counts["subjects"] >= values["interval"]["fewest"]:
        summary += f"; {percent(values['interval']['level'])} intervals over subjects in brackets"
    console.print()
    console.print(summary)
    for note in evaluation.notes:
        console.print(styled(("·", "yellow"), f" {note}"))
    console.print(styled((str(out), "bold"), f" is ready: {out / 'report.html'}"))


def _show_clinical(console: Console, values: Mapping[str, Any]) -> None:
    """Print errors of sleep statistics, errors at transitions, and the figures of groups."""
    nights, transitions = values["nights"], values["transitions"]
    if nights["compared"]:
        console.print()
        console.print(
            f"Sleep statistics of {counted(nights['compared'], 'night')}, predicted − scored:"
        )
        console.print(_errors(nights["measures"]))
    places = ("at_transition", "inside_run")
    if any(transitions[place]["accuracy"]["value"] is not None for place in places):
        console.print()
        console.print(_transitions(transitions))
    for column, by in ((values["groups"] or {}).get("columns") or {}).items():
        console.print()
        console.print(_groups(column, by["groups"]))


def _review(review: Mapping[str, Any]) -> str:
    """Return a sentence on the errors found by reviewing the least certain epochs."""
    rows = review["shares"]
    reviewed = listed(percent(row["reviewed"]) for row in rows)
    found = listed(percent(row["found"]["value"]) for row in rows)
    return f"A review of the least certain {reviewed} of epochs finds {found} of the errors"


def _doubt(doubt: Mapping[str, Any]) -> str:
    """Return a sentence on whether doubt finds the epochs on which scorers disagree."""
    ways = {"entropy of the probabilities": "entropy", "divergence of the members": "members"}
    areas = listed(
        f"{doubt[key]['value']:.3f} by the {way}" for way, key in ways.items() if doubt[key]
    )
    return f"Scorers differ on {doubt['disputed']:,} of {doubt['epochs']:,} epochs; AUC {areas}"


def _errors(measures: Mapping[str, Any]) -> Table:
    """Return a table of bias and limits of agreement."""
    table = new_table("", "bias", "limits of agreement", left=("",))
    for measure in MEASURES:
        if measure.headline:
            entry = measures[measure.key]
            limits = [entry[f"{side}_limit"]["value"] for side in ("lower", "upper")]
            both = "–" if limits[0] is None else " to ".join(_number(x, "+", 1) for x in limits)
            bias = _shown(entry["bias"], "+", 1)
            table.add_row(f"{measure.short}, {measure.unit}", bias, both)
    return table


def _transitions(found: Mapping[str, Any]) -> str:
    """Return a sentence on accuracy at transitions and inside runs, and on rates of transitions."""
    at, inside = (_shown(found[place]["accuracy"]) for place in ("at_transition", "inside_run"))
    scored, predicted = (
        _number(found["rate_per_hour"][who]["value"], digits=1) for who in ("scored", "predicted")
    )
    return (
        f"Accuracy {at} next to a change of the scorer's stage, {inside} inside runs; transitions "
        f"an hour: {scored} scored, {predicted} predicted"
    )


def _groups(column: str, groups: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a row for each group of subjects."""
    headline = metric_table.headline()
    heads = (*(metric.short for metric in headline), "bias of TST, min")
    table = new_table(column, "subjects", *heads, left=(column,))
    for group in groups:
        figures = [_shown(group["figures"][metric.key]) for metric in headline]
        bias = _shown(group["nights"]["tst_min"]["bias"], "+", 1)
        table.add_row(group["group"], str(group["subjects"]), *figures, bias)
    return table


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


def _change(figures: Mapping[str, Figure]) -> Table:
    table = new_table("", "page", "night", "difference", left=("",))
    for metric in metric_table.headline():
        figure = figures[metric.key]
        both = _number(figure["first"]), _number(figure["second"])
        table.add_row(metric.title, *both, _shown({**figure, "value": figure["difference"]}, "+"))
    return table


def _shown(figure: Figure, sign: str = "", digits: int = 3) -> str:
    """Format a metric and its interval."""
    value, low, high = (_number(figure[name], sign, digits) for name in ("value", "low", "high"))
    return value if figure["low"] is None else f"{value} [{low}, {high}]"


def _number(value: float | None, sign: str = "", digits: int = 3) -> str:
    return "–" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # no "-0.0"
