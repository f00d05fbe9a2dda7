"""The exceptions that psgimg raises with a message for the user.

PsgimgError             any error that psgimg reports in one line
├── RecordingError      one recording can't be used; it is set aside, and the others continue
└── BuildError          the whole command can't continue
"""

from __future__ import annotations


class PsgimgError(Exception):
    """An error whose message names the file, the value and the remedy."""


class RecordingError(PsgimgError):
    """One recording can't be used; in a build it is set aside with this reason.

    Parameters
    ----------
    reason
        A few words without names or numbers, by which the report counts (``truncated EDF``).
    detail
        One sentence with file, value and remedy.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def unreadable(name: str, error: OSError) -> RecordingError:
    """Return the error for a file that the operating system can't read."""
    return RecordingError(
        "unreadable file",
        f"{name}: {error.strerror or error}; check that it exists and is readable",
    )


class BuildError(PsgimgError):
    """The command can't continue, whatever recording it works on.

    Parameters
    ----------
    status
        Exit status of the command.
    """

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status
