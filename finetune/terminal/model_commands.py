"""Commands that train models and run them on the pages of a dataset: sft, predict, merge."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import CONFIG_HELP, OUT, PATH, config_option, read_file, snake
from psgimg.builder.console import ProgressBar, open_console, styled
from psgimg.builder.files import quoting
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import (
    any_lanes_option,
    any_recipe_option,
    batch_size_option,
    corpus_option,
    decode_option,
    device_option,
    dtype_option,
    fold_option,
    join_option,
    loaders_option,
    model_option,
    part_option,
    revision_option,
    trust_option,
)

ANSWERED = ("--options", "-h", "--help")
"""Options of `psgimg sft` that click handles before anything heavy is imported."""


class TrainingCommand(click.Command):
    """A command whose options are parsed by TRL: click documents them and handles ``ANSWERED``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Pass the arguments on unchanged; click itself parses only those in ``ANSWERED``."""
        rest = super().parse_args(ctx, [word for word in args if word in ANSWERED])
        ctx.args = args
        return rest


@click.command(
    cls=TrainingCommand,
    epilog="All other options of TRL's SFTConfig and ModelConfig work too: `psgimg sft --options`.",
)
@click.option("--dataset", metavar="DIR|ID", help="Folder of a dataset, or id on the Hub.")
@click.option("--model", metavar="DIR|ID|tiny", help="Base model; tiny is created from scratch.")
@click.option("--output-dir", metavar="DIR", help="Output folder [default: psg-model].")
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
@click.option(
    "--prompt", metavar="NAME|FILE", help="closed, aasm or a YAML file [default: closed]."
)
@click.option("--context", metavar="K", help="Pages shown on either side [default: 0].")
@click.option("--context-scale", metavar="S", help="Width of neighbours; below 1, in one picture.")
@click.option("--context-mixed", metavar="BOOL", help="Show some pages with fewer neighbours.")
@click.option("--sampling", metavar="HOW", help="natural, balanced or sqrt [default: natural].")
@click.option("--train-subjects", metavar="N", help="Number of training subjects [default: all].")
@click.option(
    "--max-epochs-per-recording", metavar="N", help="Maximum training pages per recording."
)
@click.option("--corpus", metavar="NAME", help="Use one corpus of the dataset only.")
@click.option("--fold", metavar="K", help="Train for fold K of folds.csv, from 0, not by splits.")
@click.option("--dataset-revision", metavar="TAG", help="Branch, tag or commit of the dataset.")
@click.option(
    "--validation-pages",
    metavar="N",
    help="Validation pages scored at each evaluation [default: 500].",
)
@click.option("--freeze-vision", metavar="BOOL", help="Freeze the vision tower.")
@click.option("--max-pixels", metavar="N", help="Maximum pixels per page (Qwen, GLM-4V).")
@click.option("--augment", metavar="HOW", help="none, or flip, shift, lanes, joined by commas.")
@click.option("--variants", metavar="BOOL", help="Draw among variants of pages [default: true].")
@click.option("--use-peft", metavar="BOOL", help="LoRA adapters [default: true, but for tiny].")
@click.option(
    "--learning-rate", metavar="X", help="Peak rate [default: 1e-4 with LoRA, 1e-5 without]."
)
@click.option("--num-train-epochs", metavar="N", help="Number of training passes.")
@click.option("--per-device-train-batch-size", metavar="N", help="Pages per step and device.")
@click.option("--load-in-4bit", metavar="BOOL", help="Base model in 4 bit (QLoRA).")
@click.option(
    "--resume-from-checkpoint",
    metavar="true|DIR",
    help="Resume from the last or a given checkpoint.",
)
@click.option("--dry-run", is_flag=True, help="Estimate memory and time, and train nothing.")
@click.option("--report-to", metavar="NAME", help="wandb, trackio, tensorboard …")
@click.option("--push-to-hub", metavar="BOOL", help="Publish the model, as `psgimg push` does.")
@click.option("--options", is_flag=True, help="List all options, TRL's included.")
@click.pass_context
def sft(ctx: click.Context, /, options: bool, **_: None) -> None:
    """Fine-tune a vision-language model to stage pages of sleep.

    `psgimg sft --dataset psg-images --model tiny` needs no GPU and no download.
    """
    optional_dependencies.require()
    from psgimg.finetune import sft as trainer
    from psgimg.finetune.training import training_report

    if options:
        click.echo(trainer.options_help())
        return
    out = trainer.main(ctx.args)
    if out is None or os.environ.get("RANK", "0") != "0":  # only one process prints
        return
    record = training_report.read(out)
    following = quoting.command(
        "predict",
        model=out,
        dataset=_given(ctx.args, "dataset") or "DATASET",
        **training_report.pages_to_predict(record),
        out="predictions.parquet",
    )
    console = open_console()
    console.print()
    ready = f" is ready: {out / 'README.md'} is its model card. Next:"
    console.print(styled((str(out), "bold"), ready))
    console.print(f"  {following}")


def _given(words: Sequence[str], name: str) -> str | None:
    """Return the value of an option, from the command line or its ``--config``."""
    parts = [part for word in words for part in word.split("=", 1)]
    values = {snake(option): value for option, value in itertools.pairwise(parts)}
    if f"__{name}" in values:
        return values[f"__{name}"]
    config = values.get("__config")
    return config and read_file(Path(config), has_corpus=True).get(name)


@click.command()
@config_option
@model_option
@click.option("--dataset", required=True, metavar="DIR|ID", help="Dataset whose pages to stage.")
@click.option(
    "--out",
    type=OUT,
    default=Path("predictions.parquet"),
    show_default=True,
    help="Output file: .parquet, .csv or .jsonl.",
)
@click.option("--split", default="test", show_default=True, help="Split to stage.")
@fold_option
@corpus_option
@revision_option
@click.option(
    "--mode",
    default="score",
    show_default=True,
    help="score compares the probabilities of the five answers; generate parses generated text.",
)
@batch_size_option
@device_option
@loaders_option
@click.option(
    "--endpoint",
    metavar="URL",
    help="OpenAI-compatible server of the model; 64 or --batch-size requests at a time.",
)
@click.option(
    "--prompt",
    metavar="NAME|FILE",
    help="closed, aasm or a YAML file [default: as in training].",
)
@click.option(
    "--context",
    type=int,
    metavar="K",
    help="Pages shown on either side [default: as trained].",
)
@click.option(
    "--context-scale",
    type=float,
    metavar="S",
    help="Width of neighbours; below 1, in one picture.",
)
@click.option(
    "--limit", type=int, metavar="N", help="At most N pages, spread evenly over the split."
)
@click.option(
    "--max-new-tokens",
    type=int,
    default=32,
    show_default=True,
    help="Longest generated answer.",
)
@decode_option
@dtype_option
@trust_option
@any_recipe_option
@any_lanes_option
@click.option(
    "--without",
    multiple=True,
    metavar="LANE",
    help="Draw a lane as absent; may be repeated.",
)
@click.option(
    "--each-lane-out",
    is_flag=True,
    help="Predict again without each lane in turn, into OUT-without-LANE.",
)
@click.option(
    "--send-restricted",
    is_flag=True,
    help="Send restricted pictures outside your network.",
)
@part_option
@join_option
def predict(**options: Any) -> None:
    """Stage the pages of a dataset with a model and write the predictions to a file.

    Rerun the same command to resume after an interruption.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune import predict as predictor
    from psgimg.finetune.terminal import show_predictions

    console, config = open_console(), predictor.PredictConfig(**options)
    with ProgressBar(console) as progress:
        if config.each_lane_out:
            files = predictor.without_each_lane(config, progress)
        else:
            files = [(config, predictor.predict(config, progress))]
    show_predictions.show(console, config, files)


@click.command()
@click.argument("adapter", type=PATH)
@click.option("--out", type=OUT, required=True, help="Output folder.")
@dtype_option
@trust_option
def merge(adapter: Path, out: Path, dtype: str, trust_remote_code: bool) -> None:
    """Merge an adapter into its base model, for vLLM and other tools without adapter support."""
    optional_dependencies.require()
    from psgimg.finetune import merge as merger

    merger.merge(adapter, out, trust_remote_code=trust_remote_code, dtype=dtype)
    following = f" is ready. Next: vllm serve {quoting.shell(out)}"
    open_console().print(styled((str(out), "bold"), following))
