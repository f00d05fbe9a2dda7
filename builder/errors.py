"""The errors a user may meet.

PsgimgError             anything psgimg says in one line
├── RecordingError      one recording can't be used: it is set aside, the others go on
└── BuildError          the whole command can't go on
"""

from __future__ import annotations


class PsgimgError(Exception):
    """An error whose message names what was found, where, and what to do."""


class RecordingError(PsgimgError):
    """One recording can't be used; in a build it is set aside with this reason.

    Parameters
    ----------
    reason
        What the report counts, a few words without names or numbers (``truncated EDF``).
    detail
        One sentence naming file, value and remedy.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def unreadable(name: str, error: OSError) -> RecordingError:
    """The error for a file that the system does not hand out."""
    return RecordingError(
        "unreadable file",
        f"{name}: {error.strerror or error}; check that it exists and may be read",
    )


class BuildError(PsgimgError):
    """The command can't go on, whatever recording it works on."""
