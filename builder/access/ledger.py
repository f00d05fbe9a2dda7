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
from pathlib import Path

from psgimg.builder.access.remote_file import RemoteFile
from psgimg.builder.files import durable

FILE = "fetched.jsonl"


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
        self._known: dict[tuple[str, str], str] = {}
        try:
            lines = self._path.read_bytes().split(b"\n")
        except OSError:
            lines = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                path, version, sha256 = json.loads(line)
                self._known[path, version] = sha256

    def get(self, file: RemoteFile) -> str | None:
        """Return the hash of a file if it was fetched before and the server's list has not changed."""
        return self._known.get((str(file.path), file.version))

    def add(self, file: RemoteFile, sha256: str) -> None:
        """Record a file that came in whole."""
        entry = (str(file.path), file.version)
        with self._lock:
            if self._known.get(entry) == sha256:
                return
            self._known[entry] = sha256
            durable.make_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, b"\n" + json.dumps([*entry, sha256]).encode())
            finally:
                os.close(descriptor)
