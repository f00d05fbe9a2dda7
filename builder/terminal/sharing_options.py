"""Sharing options: those of a build that several processes of a cluster share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.command_options import PATH
from psgimg.builder.placing import parts

SHARING_OPTIONS = (
    click.option(
        "--part",
        type=parts.parse,
        default=None,
        metavar="I/N",
        help="Draw a share of the subjects; then --join.",
    ),
    click.option("--join", is_flag=True, help="Finish the dataset of which all parts are drawn."),
    click.option(
        "--parts",
        "folders",
        type=PATH,
        multiple=True,
        metavar="DIR",
        help="With --join, a folder of parts; repeatable.",
    ),
    click.option(
        "--cluster",
        default="",
        metavar="ADDRESS|FILE",
        help="Draw on a Dask cluster: address or file of its scheduler, or YAML file.",
    ),
)

EXCLUSIVE = (
    ("part", "join"),
    ("part", "cluster"),
    ("join", "cluster"),
    ("cluster", "workers"),
    ("part", "push"),
)


def sharing_options(command: Any) -> Any:
    """Add the options by which a build is shared to a command."""
    for option in reversed(SHARING_OPTIONS):
        command = option(command)
    return command


def refuse_conflicts(given: Collection[str], fetch: FetchConfig | None, *, push: bool) -> None:
    """Refuse options that don't go together.

    Parameters
    ----------
    given
        Those of ``part``, ``join``, ``parts``, ``cluster`` and ``workers`` that are given.

    Raises
    ------
    click.UsageError
        If two exclude each other, or one needs another.
    """
    for one, other in EXCLUSIVE:
        if {one, other} <= {*given, *(["push"] if push else [])}:
            raise click.UsageError(f"--{one} and --{other} don't go together; leave one out")
    if "parts" in given and "join" not in given:
        raise click.UsageError("--parts goes with --join")
    if fetch and not fetch.is_share and {"part", "cluster"} & {*given}:
        raise click.UsageError(
            "--fetch with --part or --cluster needs --connections, this command's share of the requests "
            "that a server bears; better fetch first, with `psgimg fetch`"
        )
