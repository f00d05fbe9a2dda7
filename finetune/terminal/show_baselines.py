"""Terminal output of `psgimg baseline`: the metrics of each method."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from psgimg.builder.console import new_table, styled
from psgimg.builder.files import quoting
from psgimg.finetune.baselines import methods
from psgimg.finetune.metrics import disclosure, metric_table, metrics
from psgimg.finetune.metrics.predictions import Predictions
from rich.console import Console


def show(console: Console, results: Mapping[str, Predictions], out: Path) -> None:
    """Print the metrics of each method and the command that compares them."""
    columns = (*metric_table.headline(), *metric_table.per_stage())
    heads = [metric.short for metric in columns]
    shown = new_table("method", "pages", *heads, left=("method",))
    for name, predictions in results.items():
        table = metrics.confusion(predictions.labels, predictions.predictions)
        values = [f"{metric.of(table):.3f}" for metric in columns]
        shown.add_row(name, f"{len(predictions):,}", *values)
    console.print(shown)
    for name, predictions in results.items():
        method = methods.METHODS[name]
        console.print(f"{name} sees {method.sees.text}")
        corpora = predictions.table["corpus"].unique().to_pylist()
        for line in disclosure.people(name, method.disclosure(corpora)):
            console.print(styled(("·", "yellow"), f" {line}"))
    files = (out / f"{name}.parquet" for name in results)
    following = quoting.command("evaluate", *files)
    console.print(styled((str(out), "bold"), f" is ready. Next: {following}"))
