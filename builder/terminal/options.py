"""Options shared by several commands: what to read, how to draw it, where to publish it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import OUT, PATH, config_option, names
from psgimg.builder.signals.polarity_rule import BLINKS, RULES


def minutes(value: Any) -> float | None:
    """Parse a number of minutes; ``none`` gives None."""
    if value is None or str(value).lower() == "none":
        return None
    try:
        if 0 <= (number := float(value)) < math.inf:
            return number
    except ValueError:
        pass
    raise click.BadParameter(
        f"{value!r} is not a number of minutes; use a number such as 30, or none"
    )


class _FirstName(click.Option):
    """An option with two names, of which the help lists the first: both would widen its column."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the first name with the help."""
        record = super().get_help_record(ctx)
        return record and (f"{self.opts[0]} {self.metavar}", record[1])


DEFAULT_NAME = "psg-images"
"""Default name of the dataset's folder and of its repository."""

source_option = click.option(
    "--source",
    multiple=True,
    metavar="NAME|FILE",
    help="Corpus (`psgimg sources`) or YAML file; repeatable.",
)
subjects_option = click.option(
    "--subjects", type=names, default="", metavar="A,B,…", help="Use only these subjects."
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Use the first N recordings of each source.",
)
root_option = click.option(
    "--root",
    multiple=True,
    metavar="[NAME=]DIR",
    help="Folder of the corpus (or set PSGIMG_<NAME>_ROOT).",
)
out_option = click.option(
    "--out",
    type=OUT,
    default=Path(DEFAULT_NAME),
    show_default=True,
    help="Output folder.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Processes.  [default: one per core]",
)
montage_option = click.option(
    "--montage",
    default="",
    metavar="NAME|FILE",
    help="Name or YAML file.  [default: that of the corpus]",
)
style_option = click.option(
    "--style",
    default="clinical",
    show_default=True,
    metavar="NAME|FILE",
    help="Style: clinical, pediatric, paper, sleepvlm, NAME:key=value or a YAML file.",
)
filters_option = click.option(
    "--filters",
    default="",
    metavar="FILE",
    help="YAML file of pass bands.  [default: AASM manual]",
)
polarity_option = click.option(
    "--polarity",
    type=click.Choice(RULES),
    default=BLINKS,
    show_default=True,
    metavar="RULE",
    help="Sign: blinks, recorded, inverted.",
)
"""Options that several commands take individually."""

DATA_OPTIONS = (
    config_option,
    source_option,
    root_option,
    montage_option,
    style_option,
    filters_option,
    polarity_option,
    click.option(
        "--scorer",
        "--stage-column",
        "scorer",
        default="",
        metavar="NAME",
        cls=_FirstName,
        help="Scorer of the labels.  [default: the reference]",
    ),
    click.option(
        "--trim",
        "trim_min",
        type=minutes,
        default="30",
        show_default=True,
        help="Wake kept around sleep, or none.",
    ),
    click.option(
        "--min-quality",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="Least share of usable epochs in an EEG lane.",
    ),
    subjects_option,
    limit_option,
    click.option(
        "--splits",
        default="80/10/10",
        show_default=True,
        help="Train/validation/test by subject.",
    ),
    click.option(
        "--split-file",
        type=PATH,
        metavar="NAME|FILE",
        help="usleep, phan-shhs1, or a CSV or JSON file.",
    ),
    click.option(
        "--seed", type=int, default=0, show_default=True, help="Random seed of the split."
    ),
)
"""Options shared by `build` and `check`: what to read, and how to draw it."""


def data_options(command: Any) -> Any:
    """Add the options shared by `build` and `check` to a command."""
    for option in reversed(DATA_OPTIONS):
        command = option(command)
    return command


PUBLISH_OPTIONS = (
    click.option(
        "--repo-id",
        default=DEFAULT_NAME,
        metavar="[OWNER/]NAME",
        help="Repository on the Hub.  [default: psg-images in your account]",
    ),
    click.option(
        "--public", is_flag=True, help="Make the repository public; it is private otherwise."
    ),
    click.option(
        "--permission",
        default="",
        metavar="TEXT",
        help="Who permitted restricted pictures to be public, when, and where recorded.",
    ),
    click.option(
        "--replace",
        is_flag=True,
        help="Remove from the Hub what is not in the folder.",
    ),
)
"""Options shared by `push` and `build --push`: the repository of a release and its visibility."""


def publish_options(command: Any) -> Any:
    """Add the options of a release to a command."""
    for option in reversed(PUBLISH_OPTIONS):
        command = option(command)
    return command
