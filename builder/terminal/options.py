"""Options that several commands share: what to read and how, and where to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import config_option, names


def minutes(value: Any) -> float | None:
    """Minutes as a number; ``none`` as None."""
    if value is None or str(value).lower() == "none":
        return None
    try:
        if (number := float(value)) >= 0:
            return number
    except ValueError:
        pass
    raise click.BadParameter(f"{value!r}: give minutes, such as 30, or none")


DEFAULT_NAME = "psg-images"
"""Of the dataset's folder, and of its repository."""

root_option = click.option(
    "--root",
    multiple=True,
    metavar="[NAME=]DIR",
    help="Folder of the corpus (or PSGIMG_<NAME>_ROOT).",
)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(DEFAULT_NAME),
    show_default=True,
    help="Folder of the dataset.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Processes [default: one a core].",
)
montage_option = click.option(
    "--montage",
    default="",
    metavar="NAME|FILE",
    help="Lanes to draw: a name or a YAML file [default: the corpus's own, or aasm].",
)
style_option = click.option(
    "--style",
    default="clinical",
    show_default=True,
    metavar="NAME|FILE",
    help="clinical, paper, sleepvlm or a YAML file.",
)
filters_option = click.option(
    "--filters",
    default="",
    metavar="FILE",
    help="YAML file of pass bands [default: the AASM manual's].",
)
"""What several commands take, each by itself."""

DATA_OPTIONS = (
    config_option,
    click.option(
        "--source",
        multiple=True,
        metavar="NAME|FILE",
        help="Corpus, or a YAML file that describes your own; may be repeated. `psgimg sources` "
        "lists the names.",
    ),
    root_option,
    montage_option,
    style_option,
    filters_option,
    click.option(
        "--scorer",
        default="",
        metavar="NAME",
        help="Whose stages are the label [default: the first].",
    ),
    click.option(
        "--trim",
        "trim_min",
        type=minutes,
        default="30",
        show_default=True,
        help="Wake kept around sleep, or none to keep all.",
    ),
    click.option(
        "--subjects", type=names, default="", metavar="A,B,…", help="Only these subjects."
    ),
    click.option(
        "--limit",
        type=click.IntRange(0),
        default=0,
        metavar="N",
        help="Only the first N recordings of each source.",
    ),
    click.option(
        "--splits",
        default="80/10/10",
        show_default=True,
        help="Shares of train/validation/test, by subject.",
    ),
    click.option(
        "--split-file",
        type=click.Path(path_type=Path),
        help="A published split: CSV or JSON.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split."),
)
"""What `build` and `check` share: what to read, and how."""


def data_options(command: Any) -> Any:
    """Give a command the shared options."""
    for option in reversed(DATA_OPTIONS):
        command = option(command)
    return command


PUBLISH_OPTIONS = (
    click.option(
        "--repo-id",
        default=DEFAULT_NAME,
        metavar="[OWNER/]NAME",
        help="Repository on the Hub [default: your own psg-images].",
    ),
    click.option("--public", is_flag=True, help="Let anybody see it; it is private otherwise."),
    click.option(
        "--permission",
        default="",
        metavar="TEXT",
        help="Who allowed restricted pictures to be public, when, where written; the card says so.",
    ),
    click.option(
        "--replace",
        is_flag=True,
        help="Remove from the repository what the folder has not.",
    ),
)
"""What `push` and `build --push` share: where a release goes, and who may see it."""


def publish_options(command: Any) -> Any:
    """Give a command the options of a release."""
    for option in reversed(PUBLISH_OPTIONS):
        command = option(command)
    return command
