"""Console: the terminal that the commands write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def open_console() -> Console:
    """Return the terminal; long lines are left to it to wrap, so that they can be copied whole."""
    from rich.console import Console

    return Console(soft_wrap=True)
