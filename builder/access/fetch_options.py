"""Fetch options: the options of every command that can fetch recordings."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click
from psgimg.builder.access.fetch_config import CONNECTIONS, FetchConfig
from psgimg.builder.command_options import PATH

token_option = click.option(
    "--token-file",
    type=PATH,
    metavar="FILE",
    help="File with a token of the NSRR (or set NSRR_TOKEN).",
)

FETCH_OPTIONS = (
    click.option(
        "--fetch", is_flag=True, help="Download what is not on disk; delete it after use."
    ),
    click.option("--keep", is_flag=True, help="Keep what --fetch downloads."),
    token_option,
    click.option(
        "--connections",
        type=click.IntRange(1),
        metavar="N",
        help="With --fetch, requests to a server at a time.  [default: 4]",
    ),
)
"""Options of the commands that can fetch recordings."""


def fetch_options(command: Any) -> Any:
    """Add the options of fetching to a command; it receives ``fetch``, a FetchConfig or None."""

    @functools.wraps(command)
    def with_config(
        fetch: bool,
        keep: bool,
        token_file: Path | None,
        connections: int | None,
        **options: Any,
    ) -> Any:
        if (keep or token_file or connections) and not fetch:
            raise click.UsageError("--keep, --token-file and --connections go with --fetch")
        config = FetchConfig(keep, token_file, connections or CONNECTIONS, connections is not None)
        return command(fetch=config if fetch else None, **options)

    for option in reversed(FETCH_OPTIONS):
        with_config = option(with_config)
    return with_config
