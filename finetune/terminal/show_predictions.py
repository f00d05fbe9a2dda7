"""Terminal output of `psgimg predict`: the confusion matrix and the headline metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psgimg.builder.console import new_table, styled
from psgimg.builder.files import ownership, quoting
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.inference.predict_config import PredictConfig
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.metrics.predictions import Predictions
from rich.console import Console


def show(
    console: Console,
    config: PredictConfig,
    files: Sequence[tuple[PredictConfig, Predictions | None]],
) -> None:
    """Print what a command has predicted: one file, one for each lane left out, or a part of these."""
    whole = [(own, predictions) for own, predictions in files if predictions is not None]
    if len(whole) < len(files):
        shown = (
            f"part {config.part} of {config.out} is finished; when all are, run the command with "
        )
        console.print(styled(shown, ("--join", "bold"), " instead of --part"))
    elif config.each_lane_out:
        show_each_lane_out(console, whole)
    else:
        show_predictions(console, whole[0][1], config.out)


def show_predictions(console: Console, predictions: Predictions, out: Path) -> None:
    """Print the confusion matrix and metrics; a page without a valid answer counts as wrong."""
    table = metrics.confusion(predictions.labels, predictions.predictions)
    shown = new_table("scored as", *STAGE_NAMES, "no answer", "F1", left=("scored as",))
    for stage, counts, f1 in zip(STAGE_NAMES, table, metrics.f1_per_stage(table), strict=True):
        shown.add_row(stage, *(f"{n:,}" for n in counts), f"{f1:.3f}")
    console.print(shown)
    figures = [f"{metric.short} {metric.of(table):.3f}" for metric in metric_table.headline()]
    console.print(f"{len(predictions):,} pages: {', '.join(figures)}")
    answers = ownership.read_mark(out.with_name(f"{out.name}.json")).get("answers")
    if answers:
        manners = ", ".join(f"{n:,} {manner}" for manner, n in answers.items())
        console.print(f"Answers in words: {manners}")
    following = quoting.command("evaluate", out)
    console.print(styled((str(out), "bold"), f" is ready. Next: {following}"))


def show_each_lane_out(
    console: Console, files: Sequence[tuple[PredictConfig, Predictions]]
) -> None:
    """Print the metrics with all lanes and without each, and the command that compares them."""
    shown = new_table(
        "without", *(metric.short for metric in metric_table.headline()), left=("without",)
    )
    for config, predictions in files:
        table = metrics.confusion(predictions.labels, predictions.predictions)
        figures = [f"{metric.of(table):.3f}" for metric in metric_table.headline()]
        shown.add_row(", ".join(config.without) or "–", *figures)
    console.print(shown)
    following = quoting.command("evaluate", *(config.out for config, _ in files))
    console.print(f"{len(files)} files are ready. Next: {following}")
