"""Fetch config: the options of fetching in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 4
"""Simultaneous requests to a host, whatever the number of workers."""


@dataclass(frozen=True)
class FetchConfig:
    """Options of ``--fetch``; see the help of the commands.

    Parameters
    ----------
    keep
        Whether what was fetched stays.
    token_file
        File with a token of the NSRR; None for the environment variable.
    connections
        Simultaneous requests to a host.
    is_share
        Whether the user has stated ``connections``, as commands that run at the same time must.
    """

    keep: bool = False
    token_file: Path | None = None
    connections: int = CONNECTIONS
    is_share: bool = False
