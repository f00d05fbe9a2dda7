"""Transfer: which files a repository lacks, and how they get there: all in one commit."""

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
"""Path in the repository → the file, or its content."""


@dataclass(frozen=True)
class Transfer:
    """What is going to be sent where.

    Parameters
    ----------
    send, removed
        Files that the repository lacks or has otherwise; files that leave it.
    n_kept, bytes_kept
        Files that are there already, and their size.
    parent
        The commit that this was made for; empty if there is no repository yet.
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
        """Size of what is to be sent."""
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
    """Compare what is at hand with what a repository has.

    Parameters
    ----------
    others
        Files of the repository that belong to the release and are not at hand.
    hashes
        SHA-256 of files at hand, where they are known.
    """
    there = state.files if state else {}
    known = hashes or {}
    send = tuple(
        _addition(path, source, known.get(path, ""))
        for path, source in sorted(sources.items())
        if path not in there or not _same(there[path], source, known.get(path))
    )
    stay = {path for path in (*sources, *others) if path in there} - {a.path for a in send}
    return Transfer(
        repo=repo,
        visibility=visibility,
        send=send,
        removed=tuple(sorted(set(removed) & set(there))),
        n_kept=len(stay),
        bytes_kept=sum(there[path].n_bytes for path in stay),
        parent=state.head if state else "",
    )


def carry_out(transfer: Transfer, message: str, sent: Callable[[int], None]) -> str:
    """Send what is missing in one commit; its id, or that of the head if all is there."""
    repo = transfer.repo
    now = repo.state()
    as_planned = now is not None and (
        now.head == transfer.parent if transfer.parent else now.is_bare
    )
    if now is None or not as_planned:
        raise BuildError(
            f"{repo.id} was changed by somebody else meanwhile; nothing was published, run the same "
            "command again"
        )
    if not transfer.send and not transfer.removed:
        return repo.check(transfer.visibility, "nothing was changed")
    commit = send(
        repo, transfer.send, transfer.removed, message, now.head, transfer.visibility, sent
    )
    repo.check(transfer.visibility, "make it private at once: the files are there")
    return commit


def _addition(path: str, source: Path | bytes, known: str) -> Addition:
    """What is sent; a small file at once read, so that what was checked is what is sent.

    Raises BuildError if the file is gone or no longer what was checked.
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


def _same(there: Stored, source: Path | bytes, sha256: str | None) -> bool:
    """Whether the repository has a file as it is."""
    if there.n_bytes != _size(source):
        return False
    if there.sha256 is not None:
        if isinstance(source, Path):
            return there.sha256 == (sha256 or atomic_file.sha256(source))
        return there.sha256 == hashlib.sha256(source).hexdigest()
    data = source.read_bytes() if isinstance(source, Path) else source
    return there.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # Git's id


def _size(source: Path | bytes) -> int:
    if isinstance(source, bytes):
        return len(source)
    try:
        return source.stat().st_size
    except OSError as error:
        raise BuildError(f"{source}: {error.strerror or error}; build it again") from error
