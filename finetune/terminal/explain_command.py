"""The command `psgimg explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import OUT, config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import (
    any_lanes_option,
    any_recipe_option,
    batch_size_option,
    corpus_option,
    device_option,
    dtype_option,
    fold_option,
    model_option,
    revision_option,
    trust_option,
)


@click.command()
@config_option
@model_option
@click.option("--dataset", required=True, metavar="DIR|ID", help="Dataset whose pages to explain.")
@click.option(
    "--out",
    type=OUT,
    default=Path("psg-explanation"),
    show_default=True,
    help="Output folder.",
)
@click.option("--split", default="test", show_default=True, help="Split to take pages from.")
@fold_option
@corpus_option
@revision_option
@click.option(
    "--pages",
    type=int,
    default=50,
    show_default=True,
    help="Number of pages, spread over stages and recordings.",
)
@click.option(
    "--method",
    default="occlusion",
    show_default=True,
    help="occlusion (lane × window), patches (14×14 px, slow) or gradients (integrated gradients).",
)
@click.option(
    "--fill",
    default="pages",
    show_default=True,
    help="What replaces a part of the page: pages (of other stages) or blank.",
)
@click.option(
    "--window",
    type=float,
    default=3.0,
    show_default=True,
    help="Length of an occluded window in seconds.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice of pages.")
@batch_size_option
@device_option
@dtype_option
@trust_option
@any_recipe_option
@any_lanes_option
def explain(**options: Any) -> None:
    """Show which lanes and which seconds a model's answers depend on.

    Every run also tests the attribution: it replaces the parts ranked as important and measures
    how the answers change.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune.explaining import explain as explainer
    from psgimg.finetune.explaining.config import ExplainConfig
    from psgimg.finetune.terminal import show_explanation

    config = ExplainConfig(**options)
    console = open_console()
    with ProgressBar(console) as progress:
        summary = explainer.explain(config, progress)
    show_explanation.show(console, summary, config.out)
