"""Packages: those of the extra ``corpora``, which read formats that few corpora have."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from psgimg.builder.errors import BuildError, RecordingError

INSTALL = 'pip install "psgimg[corpora]"'


def require(package: str, what: str) -> None:
    """Check that a package is installed, before anything is fetched or read.

    Parameters
    ----------
    package
        Its name; "" for none.
    what
        What it is to read, for the message.

    Raises
    ------
    BuildError
        If it is not installed.
    """
    if package and find_spec(package) is None:
        raise BuildError(f"{what} is read by {package}, which is not installed; type: {INSTALL}")


def absent(package: str, name: str, install: str = INSTALL) -> RecordingError:
    """Return the error for a file whose package is not installed."""
    return RecordingError(
        "package not installed",
        f"{name} is read by {package}, which is not installed; type: {install}",
    )


def reason(error: Exception, path: Path) -> str:
    """Return what a package says is wrong with a file, in one short line without its folder."""
    text = str(error)
    for folder in (path.absolute().parent, path.parent.resolve()):
        text = text.replace(f"{folder}/", "")
    return " ".join(text.split())[:120] or type(error).__name__
