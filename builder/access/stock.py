"""Stock: the files of a corpus, on disk or on a server, brought and released night by night."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from psgimg.builder.access.incoming import Fetched
from psgimg.builder.access.ledger import Ledger
from psgimg.builder.access.remote_file import RemoteFile
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.files import hash_cache
from psgimg.builder.files.hash_cache import FileChangedError, HashedFile, Stamp
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.fingerprint import Identity, files_of
from psgimg.builder.recordings.listing import Listing
from psgimg.builder.recordings.recording import Recording

NOWHERE = Stamp(0, 0, 0, 0)
"""Stamp of a file that is not on disk."""


class Supplier(Protocol):
    """What brings a file."""

    def fetch(self, file: RemoteFile, root: Path) -> Fetched:
        """Bring a file to its place under ``root``; see ``Host.fetch``."""


class Stock:
    """The files of one corpus.

    Parameters
    ----------
    service
        What brings a file.
    root
        Folder of the corpus. Files that are in it are used as they are, and never deleted.
    files
        The server's list.
    keep
        Whether files that were brought stay.
    """

    def __init__(
        self,
        service: Supplier,
        root: Path,
        files: Collection[RemoteFile],
        ledger: Ledger,
        *,
        keep: bool,
    ) -> None:
        self._service, self._root = service, root
        self._ledger, self._keep = ledger, keep
        self._remote = {root / file.path: file for file in files}
        self._brought: set[Path] = set()
        self._lock = threading.Lock()
        self.listing = Listing(root, [file.path for file in files])

    def is_remote(self, recording: Recording) -> bool:
        """Return whether a file of a recording must be fetched."""
        return any(not path.exists() and path in self._remote for path in files_of(recording))

    def n_bytes(self, recording: Recording) -> int:
        """Return the bytes to fetch for a recording, as far as the server tells."""
        missing = [self._remote.get(path) for path in files_of(recording) if not path.exists()]
        return sum(file.size or 0 for file in missing if file)

    def recall(self, recording: Recording) -> Identity | None:
        """Return the hashes of a recording's files if all are known; nothing is read or fetched."""
        known: dict[Path, HashedFile] = {}
        for path in files_of(recording):
            file = self._remote.get(path)
            sha256 = self._ledger.get(file) if file else None
            if path.exists() or sha256 is None:
                return None
            known[path] = HashedFile(sha256, NOWHERE, settled=False)
        return fingerprint.of(recording, known)

    def bring(self, recording: Recording) -> Identity:
        """Fetch the files of a recording that are not on disk, and return the hashes of all.

        Raises
        ------
        RecordingError
            If a file can't be had or read.
        BuildError
            If the disk is full.
        """
        return fingerprint.of(recording, {path: self._hashed(path) for path in files_of(recording)})

    def release(self, recording: Recording) -> None:
        """Delete the files of a recording that this run has fetched, unless they are to be kept."""
        if self._keep:
            return
        for path in files_of(recording):
            with self._lock:
                brought = path in self._brought
                self._brought.discard(path)
            if brought:
                path.unlink(missing_ok=True)

    def _hashed(self, path: Path) -> HashedFile:
        file = self._remote.get(path)
        try:
            if path.exists() or file is None:
                return hash_cache.read(path)
            with self._lock:
                self._brought.add(path)
            fetched = self._service.fetch(file, self._root)
            self._ledger.add(file, fetched.sha256)
            return hash_cache.remember(path, fetched.sha256)
        except FileChangedError:
            raise RecordingError(
                "changed while it was read",
                f"{path.name} changed while it was read; run the same command again once it is complete",
            ) from None
        except OSError as error:
            raise unreadable(path.name, error) from error
