"""Options: the command-line options shared by the commands that run a model, each defined once."""

from __future__ import annotations

import click
from psgimg.builder.placing import parts

model_option = click.option(
    "--model",
    required=True,
    metavar="DIR|ID",
    help="Folder written by `psgimg sft`, or any vision-language model on the Hub.",
)
corpus_option = click.option("--corpus", metavar="NAME", help="Use one corpus of the dataset only.")
fold_option = click.option(
    "--fold",
    type=click.IntRange(0),
    metavar="K",
    help="Fold K of folds.csv, from 0, in place of the splits: K is test, the next validation.",
)
revision_option = click.option(
    "--revision", metavar="TAG", help="Branch, tag or commit of a dataset on the Hub."
)
batch_size_option = click.option(
    "--batch-size", type=int, metavar="N", help="Pages per batch [default: by the device]."
)
device_option = click.option(
    "--device", metavar="NAMES", help="cpu, cuda:1 or cuda:0,cuda:1 [default: all GPUs]."
)
loaders_option = click.option(
    "--loaders",
    type=int,
    metavar="N",
    help="Processes that read pages [default: by the device].",
)
dtype_option = click.option(
    "--dtype",
    type=click.Choice(("auto", "float32", "bfloat16", "float16")),
    metavar="NAME",
    default="auto",
    show_default=True,
    help="Precision: float32, bfloat16 or float16; auto by the device.",
)
trust_option = click.option(
    "--trust-remote-code", is_flag=True, help="Run Python code shipped with the model."
)
any_recipe_option = click.option(
    "--any-recipe", is_flag=True, help="Accept pages of another recipe than the model's."
)
any_lanes_option = click.option(
    "--any-lanes",
    is_flag=True,
    help="Accept pages with other lanes absent than in training; they are marked.",
)
decode_option = click.option(
    "--decode",
    type=click.Choice(("page", "night")),
    default="page",
    show_default=True,
    help="Stage pages one by one, or a night as a whole.",
)
mains_option = click.option(
    "--mains",
    "mains_hz",
    type=float,
    default=50.0,
    show_default=True,
    help="Mains frequency: 50 or 60 Hz.",
)
scoring_format_option = click.option(
    "--scoring-format",
    metavar="NAME|FILE",
    help="Corpus, or YAML file of your own, whose scorings have this format [default: recognised].",
)
part_option = click.option(
    "--part",
    type=parts.parse,
    metavar="I/N",
    help="Stage share I of N of the recordings, as a task of a job array; then --join.",
)
join_option = click.option(
    "--join", is_flag=True, help="Write the file of which all parts are staged."
)
