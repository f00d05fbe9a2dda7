"""Atomic files: complete or absent, because they are written under a temporary name and renamed.

A process that is killed leaves a temporary file; the next one that writes the same file removes it.
Several machines may share a folder: their temporary files have different names.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psgimg.builder.errors import BuildError
from psgimg.builder.files import durable

TEMPORARY = re.compile(
    r"\.(?P<name>.+)\.((?P<machine>[0-9a-f]{8})-)?(?P<thread>\d+)\.tmp", re.ASCII | re.DOTALL
)
"""Name of a temporary file: that of the file it becomes, and the thread that writes it."""

ABANDONED_S = 86_400.0
"""A temporary file of another machine that nobody has written to for so long is a leftover."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to ``path`` on success, deleted on failure.

    Raises
    ------
    BuildError
        If the disk is full or the folder can't be written.
    """
    temporary = path.with_name(f".{path.name}.{_machine()}-{threading.get_native_id()}.tmp")
    try:
        durable.make_folder(path.parent)
        _remove_leftovers(path)
        yield temporary
        durable.sync_file(temporary)
        durable.replace(temporary, path)
    except OSError as error:
        raise BuildError(unwritable(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def target_name(name: str) -> str:
    """Return the name of the file that a temporary file becomes; any other name unchanged."""
    temporary = TEMPORARY.fullmatch(name)
    return temporary["name"] if temporary else name


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of this path that killed processes have left."""
    prefix = f".{path.name}."  # compared first: the folder may hold thousands of files
    with os.scandir(path.parent) as entries:
        named = [entry.name for entry in entries if entry.name.startswith(prefix)]
    for match in filter(None, map(TEMPORARY.fullmatch, named)):
        left = path.with_name(match.string)
        if match["name"] != path.name:
            continue
        elsewhere = match["machine"] not in (None, _machine())
        if _is_old(left) if elsewhere else not _runs(int(match["thread"])):
            left.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    """Return whether a file of another machine was given up."""
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > ABANDONED_S
    return False


@functools.cache
def _machine() -> str:
    """Return what tells this machine, or container, from others that share a folder with it."""
    names = [platform.node()]
    with suppress(OSError):  # containers have process numbers of their own
        names.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:8]


def _runs(thread: int) -> bool:
    """Return whether a thread runs on this machine, apart from this one."""
    if thread == threading.get_native_id():
        return False
    try:
        os.kill(thread, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8 with Unix line ends."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def unwritable(path: Path, error: OSError) -> str:
    """Return the one-line message for a failed write, with the remedy."""
    if error.errno in durable.FULL:
        return (
            f"the disk is full at {path.parent}; free some space or choose another --out, then run "
            "the same command again: what is finished is kept"
        )
    return f"can't write {path}: {error.strerror or error}; choose another --out or fix its permissions"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    That of a folder, such as a recording of EGI, is of the names and hashes of the files in it, but
    for hidden ones, which file managers write.
    """
    if path.is_dir():
        names = sorted(
            file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()
        )
        shown = [name for name in names if not any(part[0] == "." for part in name.split("/"))]
        told = "".join(f"{sha256(path / name)}  {name}\n" for name in shown)
        return hashlib.sha256(told.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
