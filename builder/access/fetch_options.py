"""Fetch options: the options of every command that can fetch recordings."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click
from psgimg.builder.access.fetch_config import FetchConfig
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
)
"""Options of the commands that can fetch recordings."""


def fetch_options(command: Any) -> Any:
    """Add the options of fetching to a command; it receives ``fetch``, a FetchConfig or None."""

    @functools.wraps(command)
    def with_config(fetch: bool, keep: bool, token_file: Path | None, **options: Any) -> Any:
        if (keep or token_file) and not fetch:
            raise click.UsageError("--keep and --token-file go with --fetch")
        return command(fetch=FetchConfig(keep, token_file) if fetch else None, **options)

    for option in reversed(FETCH_OPTIONS):
        with_config = option(with_config)
    return with_config
