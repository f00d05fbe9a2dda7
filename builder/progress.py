"""Progress: the interface through which a long-running task reports its progress."""

from __future__ import annotations

from typing import Protocol

BYTES = "bytes"
"""Unit that is displayed in kB, MB and GB."""


class Progress(Protocol):
    """Display of the successive tasks of a command, and of notes to the user."""

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """Start a task of ``total`` units (None if unknown), and end the previous one."""

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """Report ``n`` more finished units; if a unit is a recording, with ``pages`` more pages."""

    def note(self, message: str) -> None:
        """Display one line, such as a warning."""


class _Silent:
    """Displays nothing."""

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """Do nothing."""

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""


SILENT = _Silent()
