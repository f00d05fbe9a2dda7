"""Ledger: the SHA-256 of files that were fetched, drawn and deleted again.

    ROOT/.psgimg/fetched.jsonl     a line per file

A file is known by its path and by what the server says of its content. If the server's list changes,
it is another file. A lost or damaged ledger only means that files are fetched again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from psgimg.builder.access.incoming import unwritable
from psgimg.builder.access.remote_file import RemoteFile
from psgimg.builder.files import durable

FILE = "fetched.jsonl"

KEPT = 0
"""In place of the time of a file that is to stay."""


class Ledger:
    """The hashes of what was fetched into the folder of a corpus.

    Parameters
    ----------
    state
        Folder in it that keeps them.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, str]] = {}
        self._passing: dict[str, int] = {}
        try:
            lines = self._path.read_bytes().split(b"\n")
        except OSError:
            lines = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                path, version, sha256, mtime_ns = json.loads(line)
                self._remember(path, version, sha256, mtime_ns)

    def get(self, file: RemoteFile) -> str | None:
        """Return the hash of a file if it was fetched before and the server's list has not changed."""
        return self._known.get(str(file.path), {}).get(file.version)

    def has_changed(self, file: RemoteFile) -> bool:
        """Return whether a file was fetched before, and the server now lists another version."""
        known = self._known.get(str(file.path), {})
        return bool(known) and file.version not in known

    @property
    def passing(self) -> Mapping[str, int]:
        """Files that were not to stay: path → time of the change in ns by which they are known."""
        return {path: mtime_ns for path, mtime_ns in self._passing.items() if mtime_ns != KEPT}

    def add(self, file: RemoteFile, sha256: str, mtime_ns: int = KEPT) -> None:
        """Record a file that came in whole.

        Parameters
        ----------
        mtime_ns
            Time of its last change, if it is to be deleted once it is used.

        Raises
        ------
        BuildError
            If the disk is full or can't be written.
        """
        entry = (str(file.path), file.version, sha256, mtime_ns)
        with self._lock:
            self._remember(*entry)
            try:
                durable.make_folder(self._path.parent)
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(descriptor, b"\n" + json.dumps(entry).encode())
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise unwritable(self._path, error) from error

    def _remember(self, path: str, version: str, sha256: str, mtime_ns: int) -> None:
        self._known.setdefault(path, {})[version] = sha256
        self._passing[path] = int(mtime_ns)
