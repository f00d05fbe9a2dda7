"""Transfer: which files a repository lacks, and how they get there: all in one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import files
from psgimg.builder.errors import BuildError
from psgimg.builder.release.hub import Addition, Repo, State, Stored
from psgimg.builder.release.policy import Visibility

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
        Addition(path, source, _size(source))
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
    now = transfer.repo.state()
    if now is None or (transfer.parent and now.head != transfer.parent):
        raise BuildError(
            f"{transfer.repo.id} was changed by somebody else meanwhile; nothing was published, run "
            "the same command again"
        )
    if not transfer.send and not transfer.removed:
        return now.head
    return transfer.repo.send(transfer.send, transfer.removed, message, now.head, sent)


def _same(there: Stored, source: Path | bytes, sha256: str | None) -> bool:
    """Whether the repository has a file as it is."""
    if there.n_bytes != _size(source):
        return False
    if there.sha256 is not None:
        if isinstance(source, Path):
            return there.sha256 == (sha256 or files.sha256(source))
        return there.sha256 == hashlib.sha256(source).hexdigest()
    data = source.read_bytes() if isinstance(source, Path) else source
    return there.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # Git's id


def _size(source: Path | bytes) -> int:
    return source.stat().st_size if isinstance(source, Path) else len(source)
