"""Durable: changes to files and folders that survive a power cut, in the order they were made.

A file system may write a rename to the disk before the contents of the renamed file, so that a
complete name stands for an empty file after a power cut. Contents are therefore flushed first, then
renamed, then the folder that holds the name is flushed.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of writing to a disk that is full, or to a full share of it."""

UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}
"""Errors of file systems that can't flush a folder, such as some network shares."""


def sync_file(path: Path) -> None:
    """Flush the contents of a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the file system supports it."""
    try:
        sync_file(folder)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def sync_tree(folder: Path) -> None:
    """Flush a folder with everything in it, contents before names."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync_file(Path(parent, name))
        sync_folder(Path(parent))


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents; their names reach the disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def replace(source: Path, target: Path) -> None:
    """Rename a file or folder whose contents are on the disk; the new name reaches it too."""
    source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove(path: Path) -> None:
    """Delete a file for good; after a power cut it does not reappear."""
    path.unlink()
    sync_folder(path.parent)
