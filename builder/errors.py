"""The exceptions that psgimg raises with a message for the user.

PsgimgError             any error that psgimg reports in one line
├── RecordingError      one recording can't be used; it is set aside, and the others continue
└── BuildError          the whole command can't continue
"""

from __future__ import annotations

LONGEST = 1_500
"""Maximum length of a message in characters. A longer one quotes a value that nobody would read."""


class PsgimgError(Exception):
    """An error whose message, one line, names the file, the value and the remedy."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*map(one_line, texts))


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
        self.reason: str = self.args[0]
        self.detail: str = self.args[1]

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def one_line(text: str) -> str:
    """Return a text without line breaks; of a very long one, the beginning and the end."""
    line = " ".join(text.splitlines())
    if len(line) <= LONGEST:
        return line
    return f"{line[: LONGEST * 2 // 3]} … {line[-LONGEST // 3 :]}"


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
