"""Commands that train models and run them on the pages of a dataset: sft, predict, merge."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import CONFIG_HELP, config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import (
    any_recipe_option,
    batch_size_option,
    corpus_option,
    dtype_option,
    revision_option,
    trust_option,
)

ANSWERED = ("--options", "-h", "--help")
"""Words of `psgimg sft` that are answered before anything heavy is imported."""


class TrainingCommand(click.Command):
    """A command whose options another parser takes: click shows them, and answers what it can."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as they stand; click sees those alone that it answers itself."""
        rest = super().parse_args(ctx, [word for word in args if word in ANSWERED])
        ctx.args = args
        return rest


@click.command(
    cls=TrainingCommand,
    epilog="Every further option of TRL's SFTConfig and ModelConfig is taken too: `psgimg sft --options`.",
)
@click.option("--dataset", metavar="DIR|ID", help="Folder of `psgimg build`, or id on the Hub.")
@click.option("--model", metavar="DIR|ID|tiny", help="What to teach; tiny is made on the spot.")
@click.option("--output-dir", metavar="DIR", help="Where to [default: psg-model].")
@click.option("--config", metavar="FILE", help=CONFIG_HELP)
@click.option("--prompt", metavar="NAME|FILE", help="closed, aasm or a YAML file.")
@click.option("--context", metavar="K", help="Pages shown before and after [default: 0].")
@click.option("--sampling", metavar="HOW", help="natural, balanced or sqrt [default: natural].")
@click.option("--train-subjects", metavar="N", help="Learn from so many subjects.")
@click.option("--max-epochs-per-recording", metavar="N", help="So many pages of a night.")
@click.option("--corpus", metavar="NAME", help="One corpus of the dataset.")
@click.option("--dataset-revision", metavar="TAG", help="Tag or commit of the dataset.")
@click.option("--validation-pages", metavar="N", help="Pages that watch [default: 500].")
@click.option("--freeze-vision", metavar="BOOL", help="Leave the vision tower alone.")
@click.option("--max-pixels", metavar="N", help="Scale larger pages down (Qwen).")
@click.option("--augment", metavar="HOW", help="none, flip, shift or flip,shift.")
@click.option("--use-peft", metavar="BOOL", help="LoRA [default: true, but for tiny].")
@click.option("--learning-rate", metavar="X", help="[default: 1e-4 with LoRA, 1e-5 without]")
@click.option("--num-train-epochs", metavar="N", help="Training passes.")
@click.option("--per-device-train-batch-size", metavar="N", help="Pages of a step and device.")
@click.option("--load-in-4bit", metavar="BOOL", help="QLoRA.")
@click.option("--resume-from-checkpoint", metavar="true|DIR", help="Go on with an earlier run.")
@click.option("--report-to", metavar="NAME", help="wandb, trackio, tensorboard …")
@click.option("--push-to-hub", metavar="BOOL", help="Then publish it as `psgimg push` does.")
@click.option("--options", is_flag=True, help="List every option, TRL's too.")
@click.pass_context
def sft(ctx: click.Context, /, options: bool, **_: None) -> None:
    """Teach a vision-language model to stage pages of sleep.

    `psgimg sft --dataset psg-images --model tiny` needs no GPU and no download.
    """
    optional_dependencies.require()
    optional_dependencies.quiet_threads()
    from psgimg.finetune import sft as trainer

    if options:
        click.echo(trainer.options())
        return
    out = trainer.main(ctx.args)
    if os.environ.get("RANK", "0") != "0":  # of several processes one speaks
        return
    named = zip(ctx.args, ctx.args[1:], strict=False)
    dataset = next((value for option, value in named if option == "--dataset"), "DATASET")
    console = open_console()
    console.print(f"\n[bold]{out}[/] is ready: {out / 'README.md'} says how it did. Then:")
    console.print(
        f"  psgimg predict --model {out} --dataset {dataset} --split test --out predictions.parquet",
        highlight=False,
    )


@click.command()
@config_option
@click.option(
    "--model", required=True, metavar="DIR|ID", help="Folder of `psgimg sft`, or any VLM."
)
@click.option("--dataset", required=True, metavar="DIR|ID", help="Whose pages to stage.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("predictions.parquet"),
    show_default=True,
    help="File to write: .parquet, .csv or .jsonl.",
)
@click.option("--split", default="test", show_default=True, help="Split to stage.")
@corpus_option
@revision_option
@click.option(
    "--mode",
    default="score",
    show_default=True,
    help="score compares the five answers, generate lets the model speak.",
)
@batch_size_option
@click.option("--endpoint", metavar="URL", help="Ask an OpenAI-compatible server instead.")
@click.option("--prompt", metavar="NAME|FILE", help="Question [default: the one it was taught].")
@click.option("--context", type=int, help="Pages on either side [default: as it was taught].")
@click.option("--limit", type=int, metavar="N", help="So many pages, spread over the split.")
@click.option(
    "--max-new-tokens", type=int, default=32, show_default=True, help="Longest generated answer."
)
@dtype_option
@trust_option
@any_recipe_option
@click.option(
    "--send-restricted", is_flag=True, help="Allow restricted pictures to a server elsewhere."
)
def predict(**options: Any) -> None:
    """Stage the pages of a dataset with a model, into one file.

    Run again, the same command goes on where it was interrupted.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune import predict as predictor
    from psgimg.finetune.terminal import show_predictions

    console = open_console()
    with ProgressBar(console) as progress:
        found = predictor.predict(predictor.PredictConfig(**options), progress)
    show_predictions.show_predictions(console, found, options["out"])


@click.command()
@click.argument("adapter", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@dtype_option
@trust_option
def merge(adapter: Path, out: Path, dtype: str, trust_remote_code: bool) -> None:
    """Write an adapter and its base model as one model, for vLLM."""
    optional_dependencies.require()
    optional_dependencies.quiet_threads()
    from psgimg.finetune import merge as merger

    merger.merge(adapter, out, trust_remote_code=trust_remote_code, dtype=dtype)
    open_console().print(f"[bold]{out}[/] is ready; vllm serve {out}", highlight=False)
