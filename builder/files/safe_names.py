"""Safe names: what names and paths from outside may be, checked before anything is done with them.

A downloaded dataset, model or configuration may be hostile. Every name that becomes part of a path,
and every path that is joined to a folder, passes one of these functions first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from psgimg.builder.errors import BuildError

LONGEST = 100
"""Maximum characters of a name, which is part of file names; systems limit these to 255 bytes."""

LONGEST_PATH = 400
"""Maximum characters of a relative path."""

RESERVED_CORPUS = "all"
"""The config of a dataset that loads every corpus."""

_CORPUS = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"\w([\w.-]*\w)?")
_VERSION = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.+!_-]*[0-9A-Za-z])?")
_HASH = re.compile(r"[0-9A-Za-z]([0-9A-Za-z:._-]*[0-9A-Za-z])?")
_REPOSITORY = re.compile(r"[0-9A-Za-z][\w.-]*/[0-9A-Za-z][\w.-]*", re.ASCII)
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""File names that Windows takes for devices."""


def is_corpus(text: str) -> bool:
    """Whether a text may be the name of a corpus: a folder, a config and an option.

    >>> is_corpus("my-lab"), is_corpus("../my-lab"), is_corpus("all")
    (True, False, False)
    """
    return (
        len(text) <= LONGEST and bool(_CORPUS.fullmatch(text)) and text != RESERVED_CORPUS
    ) and not _DEVICE.fullmatch(text)


def is_name(text: str) -> bool:
    """Whether a text may be the name of a subject, recording or family: part of a file name.

    >>> is_name("SC4001"), is_name("II-003-1"), is_name("../SC4001"), is_name("")
    (True, True, False, False)
    """
    return len(text) <= LONGEST and bool(_NAME.fullmatch(text)) and not _DEVICE.fullmatch(text)


def is_line(text: str) -> bool:
    """Whether a text may be a short label, such as a derivation: one line of printable characters."""
    return len(text) <= LONGEST and text.isprintable()


def is_version(text: str) -> bool:
    """Whether a text may be the version of a library, which suggested commands contain."""
    return len(text) <= LONGEST and bool(_VERSION.fullmatch(text))


def is_hash(text: str) -> bool:
    """Whether a text may be a hash or a tag: letters, digits, and some signs between them."""
    return len(text) <= LONGEST and bool(_HASH.fullmatch(text))


def is_repository(text: str) -> bool:
    """Whether a text may be the name of a repository on the Hub, ``OWNER/NAME``."""
    return len(text) <= LONGEST and bool(_REPOSITORY.fullmatch(text))


def is_commands(text: str) -> bool:
    """Whether a text may be shown as shell commands, one per line, in a fenced block of a card."""
    return "```" not in text and all(line.isprintable() for line in text.split("\n"))


def is_path(text: str) -> bool:
    r"""Whether a text is a relative, normalised path that stays in its folder, on any system.

    >>> is_path("data/demo/train-00000-of-00001.parquet")
    True
    >>> [is_path(text) for text in ("../a", "/a", "a/../b", "a//b", "C:a", "a\\..\\b", ".", "a\n")]
    [False, False, False, False, False, False, False, False]
    """
    path = PurePosixPath(text)
    return (
        text.isprintable()
        and len(text) <= LONGEST_PATH
        and path.as_posix() == text != "."
        and not path.is_absolute()
        and ".." not in path.parts
        and "\\" not in text
        and not PureWindowsPath(text).drive
        and not any(_DEVICE.fullmatch(part) for part in path.parts)
    )


def expanded(text: str) -> Path:
    """Return a path with ``~`` expanded; unchanged if nobody has that home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def inside(folder: Path, text: str) -> Path:
    """Return the path of a file in a folder, given its name in a file from outside.

    Raises
    ------
    BuildError
        If the name is not a relative path, or a link on the way leads out of the folder.
    """
    if not is_path(text):
        raise BuildError(
            f"{folder}: {shown(text)} is not a path in this folder; download or build it again"
        )
    refuse_links(folder, [text])
    return folder / text


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse to work on entries of a folder that are, or are reached by, links out of it.

    A snapshot in the cache of the Hub consists of links to the files of the same repository beside
    it, ``REPOSITORY/snapshots/COMMIT/FILE`` to ``REPOSITORY/blobs/HASH``; these are followed.

    Parameters
    ----------
    names
        Files and folders relative to ``folder``; in folders, every entry is examined.

    Raises
    ------
    BuildError
        If a link leads out of the folder.
    """
    root = folder.resolve()
    roots = [root]
    if root.parent.name == "snapshots":
        roots.append(root.parents[1] / "blobs")
    for name in names:
        path = folder / name
        entries = [path, *(path.rglob("*") if path.is_dir() else ())]
        for entry in entries:
            if not any(map(entry.resolve().is_relative_to, roots)):
                raise BuildError(
                    f"{entry} is a link to {entry.resolve()}, outside {folder}; remove the link, or choose "
                    "another folder"
                )


def shown(text: object, longest: int = 60) -> str:
    """Return a value from outside in quotes, in one line and not too long, for a message."""
    line = repr(text)
    return line if len(line) <= longest else f"{line[:longest]}…"
