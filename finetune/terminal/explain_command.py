"""The command `psgimg explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import (
    any_recipe_option,
    corpus_option,
    dtype_option,
    revision_option,
    trust_option,
)


@click.command()
@config_option
@click.option("--model", required=True, metavar="DIR|ID", help="Folder of `psgimg sft`, or a VLM.")
@click.option("--dataset", required=True, metavar="DIR|ID", help="Whose pages to explain.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("psg-explanation"),
    show_default=True,
    help="Folder to write.",
)
@click.option("--split", default="test", show_default=True, help="Split to take pages from.")
@corpus_option
@revision_option
@click.option(
    "--pages",
    type=int,
    default=50,
    show_default=True,
    help="How many, spread over stages and recordings.",
)
@click.option(
    "--method",
    default="occlusion",
    show_default=True,
    help="occlusion of lane × window, patches of 14×14 px (slow), or gradients (integrated).",
)
@click.option(
    "--fill",
    default="pages",
    show_default=True,
    help="Replace parts by pages of other stages, or blank.",
)
@click.option(
    "--window", type=float, default=3.0, show_default=True, help="Length of a cell in seconds."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of pages.")
@click.option("--batch-size", type=int, default=16, show_default=True, help="Pictures at a time.")
@dtype_option
@trust_option
@any_recipe_option
def explain(**options: Any) -> None:
    """Show which lane and which seconds a model's answers hang on.

    With every run: whether that can be believed, by replacing what is called important.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune.explaining import explain as explainer
    from psgimg.finetune.explaining.config import ExplainConfig
    from psgimg.finetune.terminal import show_explanation

    config = ExplainConfig(**options)
    console = open_console()
    with ProgressBar(console) as progress:
        found = explainer.explain(config, progress)
    show_explanation.show(console, found, config.out)
