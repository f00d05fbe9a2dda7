"""Progress: what long work reports while it runs, to whoever shows it."""

from __future__ import annotations

from typing import Protocol

BYTES = "bytes"
"""The unit that is shown in kB, MB and GB."""


class Progress(Protocol):
    """Shows the tasks of a command one after another, and notes to the user between them."""

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """A task begins: ``total`` units of work, None if that is unknown. The one before is over."""

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """``n`` more units are done; ``pages`` pages came of them, where a unit is a recording."""

    def note(self, message: str) -> None:
        """Show one line, such as a warning."""


class _Silent:
    """Shows nothing."""

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """Do nothing."""

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""


SILENT = _Silent()
