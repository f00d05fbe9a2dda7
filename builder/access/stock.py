"""Stock: the files of a corpus, on disk or on a server, brought and released night by night."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from psgimg.builder.access.host import Host
from psgimg.builder.access.incoming import Fetched, Note, no_note
from psgimg.builder.access.ledger import KEPT, Ledger
from psgimg.builder.access.remote_file import NO_ACCESS, UNREACHABLE, RemoteFile
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.files import hash_cache
from psgimg.builder.files.hash_cache import FileChangedError, HashedFile, Stamp
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.fingerprint import Identity, files_of
from psgimg.builder.recordings.listing import Listing
from psgimg.builder.recordings.recording import Recording

NOWHERE = Stamp(0, 0, 0, 0)
"""Stamp of a file that is not on disk."""

DIFFERENT = "differs from the server's"
DANGLING = "link to nothing"

IN_VAIN: Mapping[str, int] = {UNREACHABLE: 5, NO_ACCESS: 20}
"""Reason → recordings one after another after which no further one is asked for: a server that is
gone stays away, and a token that has expired opens nothing."""


class Service:
    """A service that distributes a corpus; each has a class of its own, which lists the files."""

    host: Host
    address: str
    """Where it is asked; a list from elsewhere does not hold."""

    def files(self) -> list[RemoteFile]:
        """Return the files of the corpus; RecordingError if they can't be had."""
        raise NotImplementedError

    def fetch(self, file: RemoteFile, root: Path, note: Note = no_note) -> Fetched:
        """Bring a file to its place under ``root``; see ``Host.fetch``."""
        return self.host.fetch(file, root, note)


class Stock:
    """The files of one corpus; a context manager, which deletes at the end what is not to stay.

    Parameters
    ----------
    service
        What brings a file.
    root
        Folder of the corpus. Files that are in it are used as they are, and never deleted, except
        those that a killed command has fetched and was to delete.
    files
        The server's list.
    keep
        Whether files that were brought stay.
    """

    def __init__(
        self,
        service: Service,
        root: Path,
        files: Collection[RemoteFile],
        ledger: Ledger,
        *,
        keep: bool,
    ) -> None:
        self._service, self._root = service, root
        self._ledger, self._keep = ledger, keep
        self._remote = {root / file.path: file for file in files}
        self._brought = self._left_behind()
        self._folders = {path.parent for path in self._brought}
        self._lock = threading.Lock()
        self._failed: list[RecordingError] = []
        self.listing = Listing(root, [file.path for file in files])

    def __enter__(self) -> Stock:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._brought:
            path.unlink(missing_ok=True)
        for folder in self._folders:
            self._remove_empty(folder)

    def stop(self) -> None:
        """End all fetching at once; what has come of a file stays."""
        self._service.host.stop()

    def is_remote(self, recording: Recording) -> bool:
        """Return whether a file of a recording must be fetched."""
        return any(not path.exists() and path in self._remote for path in files_of(recording))

    def has_changed(self, recording: Recording) -> bool:
        """Return whether the server now lists another version of a file that was fetched before."""
        files = [self._remote[path] for path in files_of(recording) if path in self._remote]
        return any(map(self._ledger.has_changed, files))

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
            If a file can't be had or read, or one on disk differs from that of the server.
        BuildError
            If the disk is full.
        """
        self._refuse_in_vain(recording)
        try:
            found = {path: self._hashed(path) for path in self._smallest_first(recording)}
        except RecordingError as error:
            with self._lock:
                same = self._failed and self._failed[-1].reason == error.reason
                self._failed = [*self._failed, error] if same else [error]
            raise
        self._failed = []
        return fingerprint.of(recording, found)

    def require_listed(self, identity: Identity) -> None:
        """Check that files on disk whose hashes are known are those of the server.

        Raises
        ------
        RecordingError
            If one has another size or SHA-256.
        """
        for path, hashed in identity.files.items():
            if file := self._remote.get(path):
                _require_same(file, hashed)

    def release(self, recording: Recording) -> None:
        """Delete the files of a recording that were fetched, unless they are to be kept."""
        for path in files_of(recording):
            with self._lock:
                brought = path in self._brought
                self._brought.discard(path)
            if brought:
                path.unlink(missing_ok=True)

    def _smallest_first(self, recording: Recording) -> list[Path]:
        """Return the files of a recording so that one that is refused costs little of the others."""

        def size(path: Path) -> int:
            file = self._remote.get(path)
            return file.size or 0 if file else 0

        return sorted(files_of(recording), key=size)

    def _left_behind(self) -> set[Path]:
        """Return the files that a killed command has fetched and was to delete."""
        left = set()
        passing = self._ledger.passing
        for path, file in self._remote.items():
            mtime_ns = passing.get(str(file.path))
            if mtime_ns is None or not path.is_file() or path.stat().st_mtime_ns != mtime_ns:
                continue
            if self._keep:
                self._ledger.add(file, self._ledger.get(file) or "")
            else:
                left.add(path)
        return left

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder, and those that it is in, as far as they are empty."""
        with suppress(OSError):  # not empty: of files that stay
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    def _refuse_in_vain(self, recording: Recording) -> None:
        """Refuse to ask for a recording after many others that the server did not give."""
        failed = self._failed
        if failed and len(failed) >= IN_VAIN.get(failed[-1].reason, len(failed) + 1):
            raise RecordingError(
                failed[-1].reason,
                f"{recording.recording} was not asked for, after {len(failed)} others in vain: "
                f"{failed[-1].detail}",
            )

    def _hashed(self, path: Path) -> HashedFile:
        file = self._remote.get(path)
        try:
            if path.is_symlink() and not path.exists():  # as DataLad and git-annex leave
                raise RecordingError(
                    DANGLING,
                    f"{path.name} is a link to a file that is not there; get that file, or delete the "
                    "link and it is fetched",
                )
            if file is None:
                return hash_cache.read(path)
            if path.exists():
                hashed = hash_cache.read(path)
                _require_same(file, hashed)
                return hashed
            return self._fetched(path, file)
        except FileChangedError:
            raise RecordingError(
                "changed while it was read",
                f"{path.name} changed while it was read; run the same command again once it is complete",
            ) from None
        except OSError as error:
            raise unreadable(path.name, error) from error

    def _fetched(self, path: Path, file: RemoteFile) -> HashedFile:
        if not self._keep:
            with self._lock:
                self._brought.add(path)
                self._folders.add(path.parent)

        def note(part: Path, sha256: str) -> None:
            self._ledger.add(file, sha256, KEPT if self._keep else part.stat().st_mtime_ns)

        return hash_cache.remember(path, self._service.fetch(file, self._root, note).sha256)


def _require_same(file: RemoteFile, hashed: HashedFile) -> None:
    """Refuse a file on disk that is not that of the server, such as the rest of an old download."""
    sha256 = dict(file.checksums).get("sha256", hashed.sha256)
    if file.size not in (None, hashed.stamp.size) or sha256 != hashed.sha256:
        size = "?" if file.size is None else f"{file.size:,}"
        raise RecordingError(
            DIFFERENT,
            f"{file.name} on disk ({hashed.stamp.size:,} bytes) is not that of the server ({size} "
            "bytes); delete it and it is fetched, or leave out --fetch to use it",
        )
