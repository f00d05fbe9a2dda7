"""Terminal output of `psgimg baseline`: the metrics of each method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from psgimg.builder.console import new_table, styled
from psgimg.builder.files import quoting
from psgimg.builder.placing.parts import Part
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


def show_next(console: Console, methods: Iterable[str], part: Part | None) -> None:
    """Print what follows the training, or a part."""
    done = f"part {part} of {', '.join(methods)} is finished; when all are, run the command with"
    if part is None:
        done = f"{', '.join(methods)}: trained; now run the command with"
    option, instead = ("--part", "--train") if part is None else ("--join", "--part")
    console.print(styled(f"{done} ", (option, "bold"), f" instead of {instead}"))
