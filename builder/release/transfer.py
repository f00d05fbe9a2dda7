"""Transfer: compare local files with a repository, and send the missing ones in one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.release.hub import Repo, State, Stored
from psgimg.builder.release.upload import Addition, send
from psgimg.builder.release.visibility import Visibility

SMALL_BYTES = 1_000_000
Sources = Mapping[str, Path | bytes]
"""Path in the repository → local file, or content."""


@dataclass(frozen=True)
class Transfer:
    """The changes to make in a repository.

    Parameters
    ----------
    send, removed
        Files that are missing or differ in the repository; files to delete from it.
    n_kept, bytes_kept
        Number and size of the files that are already in it.
    parent
        The commit on which this is based; empty if the repository does not exist.
    """

    repo: Repo
    visibility: Visibility
    send: tuple[Addition, ...]
    removed: tuple[str, ...]
    n_kept: int
    bytes_kept: int
    parent: str

    @property
    def n_bytes(self) -> int:
        """Size of the files to send, in bytes."""
        return sum(addition.n_bytes for addition in self.send)


def compare(
    repo: Repo,
    state: State | None,
    visibility: Visibility,
    sources: Sources,
    removed: Collection[str] = (),
    others: Collection[str] = (),
    hashes: Mapping[str, str] | None = None,
) -> Transfer:
    """Compare local files with those of a repository.

    Parameters
    ----------
    others
        Files of the repository that belong to the release but are not local.
    hashes
        SHA-256 of local files, where known.
    """
    remote = state.files if state else {}
    known = hashes or {}
    send = tuple(
        _addition(path, source, known.get(path, ""))
        for path, source in sorted(sources.items())
        if path not in remote or not _same(remote[path], source, known.get(path))
    )
    stay = {path for path in (*sources, *others) if path in remote} - {a.path for a in send}
    return Transfer(
        repo=repo,
        visibility=visibility,
        send=send,
        removed=tuple(sorted(set(removed) & set(remote))),
        n_kept=len(stay),
        bytes_kept=sum(remote[path].n_bytes for path in stay),
        parent=state.head if state else "",
    )


def carry_out(transfer: Transfer, message: str, sent: Callable[[int], None]) -> str:
    """Send the missing files in one commit; return its id, or the head if nothing is missing."""
    repo = transfer.repo
    now = repo.state()
    as_planned = now is not None and (
        now.head == transfer.parent if transfer.parent else now.is_bare
    )
    if now is None or not as_planned:
        raise BuildError(
            f"{repo.id} was changed by someone else in the meantime; nothing was published; run the "
            "same command again"
        )
    if not transfer.send and not transfer.removed:
        return repo.check(transfer.visibility, "nothing was changed")
    commit = send(
        repo, transfer.send, transfer.removed, message, now.head, transfer.visibility, sent
    )
    repo.check(transfer.visibility, "make it private immediately: the files are in it")
    return commit


def _addition(path: str, source: Path | bytes, known: str) -> Addition:
    """Return a file to send; a small one is read immediately, so that the checked content is sent.

    Raises BuildError if the file is missing or has changed since it was checked.
    """
    if isinstance(source, bytes):
        return Addition(path, source, len(source))
    size = _size(source)
    if size > SMALL_BYTES:
        return Addition(path, source, size, known)
    data = source.read_bytes()
    if known and hashlib.sha256(data).hexdigest() != known:
        raise BuildError(f"{source} was changed while it was read; run the same command again")
    return Addition(path, data, len(data))


def _same(remote: Stored, source: Path | bytes, sha256: str | None) -> bool:
    """Whether a file of the repository equals a local one."""
    if remote.n_bytes != _size(source):
        return False
    if remote.sha256 is not None:
        if isinstance(source, Path):
            return remote.sha256 == (sha256 or atomic_file.sha256(source))
        return remote.sha256 == hashlib.sha256(source).hexdigest()
    data = source.read_bytes() if isinstance(source, Path) else source
    return remote.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # Git's id


def _size(source: Path | bytes) -> int:
    if isinstance(source, bytes):
        return len(source)
    try:
        return source.stat().st_size
    except OSError as error:
        raise BuildError(f"{source}: {error.strerror or error}; repeat the build") from error
