"""Ownership: a command replaces and deletes only files that psgimg wrote.

Each command knows the names that it writes, and which of those it has written before: a list in the
folder, or a mark in the file. Anything else belongs to the user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded


def refuse_foreign(folder: Path, names: Iterable[str], own: Collection[str], option: str) -> None:
    """Refuse to write into a folder if a file would be replaced that psgimg did not write.

    Parameters
    ----------
    names
        Paths in the folder that the command replaces or deletes.
    own
        Those that an earlier command wrote.
    option
        Option that names the folder, for the message.

    Raises
    ------
    BuildError
        If there is such a file; the message names the first.
    """
    if folder.exists() and not folder.is_dir():
        raise BuildError(f"{option} {folder} is a file; choose another {option}")
    for name in sorted(names):
        path = folder / name
        if name not in own and (path.exists() or path.is_symlink()):
            raise foreign(path, option)


def foreign(path: Path, option: str) -> BuildError:
    """Return the error for a file that would be replaced although psgimg did not write it."""
    return BuildError(
        f"{path} was not written by psgimg and would be overwritten; move it away or choose another "
        f"{option}"
    )


def refuse_links(folders: Iterable[Path], option: str) -> None:
    """Refuse links in place of folders, as files outside the output would be replaced or deleted.

    Raises
    ------
    BuildError
        For the first link.
    """
    for folder in folders:
        if folder.is_symlink():
            raise BuildError(
                f"{folder} is a link; replace it by a folder of its own, or choose another {option}"
            )


def read_mark(path: Path) -> dict[str, Any]:
    """Return the JSON object with which psgimg marks its folders; empty if it is none of psgimg's."""
    try:
        values = bounded.read_json(path, bounded.REPORT)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) and "psgimg" in values else {}
