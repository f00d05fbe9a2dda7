"""Command options: what several of the commands take that ask models, each written once."""

from __future__ import annotations

import click

corpus_option = click.option("--corpus", metavar="NAME", help="One corpus of the dataset.")
revision_option = click.option("--revision", metavar="TAG", help="Tag or commit of the dataset.")
batch_size_option = click.option(
    "--batch-size", type=int, default=16, show_default=True, help="Pages at a time."
)
dtype_option = click.option(
    "--dtype", default="auto", show_default=True, help="auto, float32, bfloat16 …"
)
trust_option = click.option(
    "--trust-remote-code", is_flag=True, help="Run code that comes with the model."
)
any_recipe_option = click.option(
    "--any-recipe", is_flag=True, help="Allow pages drawn otherwise than it learned."
)
