"""Command: ``psgimg baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import corpus_option


@click.command()
@config_option
@click.option("--dataset", required=True, metavar="DIR|ID", help="Whose train split to learn from.")
@click.option(
    "--root",
    multiple=True,
    metavar="[NAME=]DIR",
    help="Where a corpus lies; signals are read from there.",
)
@click.option(
    "--source",
    multiple=True,
    metavar="FILE",
    help="YAML file of a corpus of the dataset that was built by one.",
)
@click.option(
    "--method",
    multiple=True,
    metavar="NAME",
    help="boosting, cnn or yasa; can be repeated [default: all that can].",
)
@click.option("--split", default="test", show_default=True, help="Split to stage.")
@click.option("--on", metavar="DIR|ID", help="Stage the split of another dataset instead.")
@corpus_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("psg-baselines"),
    show_default=True,
    help="Folder to write; a file a method.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn by chance.")
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Recordings at a time."
)
def baseline(**options: Any) -> None:
    """Stage without pictures: the same recordings, splits and epochs, from the signals.

    boosting: YASA's features and gradient-boosted trees. cnn: a small network of braindecode's on
    the lanes. yasa: YASA's own stager, which learned elsewhere. `psgimg evaluate` compares them.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune.baselines import baseline as main
    from psgimg.finetune.terminal import show_baselines

    console = open_console()
    with ProgressBar(console) as progress:
        found = main.baseline(main.BaselineConfig(**options), progress)
    show_baselines.show(console, found, options["out"])
