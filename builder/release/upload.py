"""Upload: send files to the Hub's storage in batches, then add them to a repository in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError
from psgimg.builder.errors import BuildError
from psgimg.builder.release.hub import Repo
from psgimg.builder.release.retry import is_transient, status_of
from psgimg.builder.release.visibility import Visibility

BATCH_BYTES = 500_000_000
"""Size of a batch, the most that an interruption costs: Xet keeps nothing of an incomplete batch."""


@dataclass(frozen=True)
class Addition:
    """A file to send: its path in the repository, and its content or local path."""

    path: str
    source: Path | bytes
    n_bytes: int
    sha256: str = ""
    """Hash when checked, for a local file that could change in the meantime."""


def send(
    repo: Repo,
    additions: Sequence[Addition],
    removed: Sequence[str],
    message: str,
    parent: str,
    visibility: Visibility,
    sent: Callable[[int], None],
) -> str:
    """Send files and add them to the repository in one commit; return its id.

    Until that commit, readers see the former revision, complete. Files that the Hub already has
    from an interrupted run are not sent again.

    Parameters
    ----------
    parent
        The commit on which the plan is based; if another was made in between, nothing changes.
    visibility
        Verified again right before the commit: an upload can take hours, and its files are still
        invisible.
    sent
        Called with the number of bytes after each batch.
    """
    operations: list[CommitOperationAdd | CommitOperationDelete] = []
    for some in _batches(additions):
        operations += _upload(repo, some)
        sent(sum(addition.n_bytes for addition in some))
    operations += [CommitOperationDelete(path, is_folder=False) for path in removed]
    repo.check(visibility, "nothing was published")
    return _commit(repo, operations, message, parent)


def _upload(repo: Repo, some: Sequence[Addition]) -> list[CommitOperationAdd]:
    """Send some files to the Hub's storage, where they are invisible until committed."""

    def upload() -> list[CommitOperationAdd]:
        operations = [CommitOperationAdd(addition.path, addition.source) for addition in some]
        repo.api.preupload_lfs_files(
            repo.id,
            operations,
            repo_type=repo.kind,
            free_memory=False,
            gitignore_content="",  # a .gitignore in the repository must not drop a shard
        )
        return operations

    operations = repo.submit(upload)
    for operation, addition in zip(operations, some, strict=True):
        if addition.sha256 and operation.upload_info.sha256.hex() != addition.sha256:
            raise BuildError(
                f"{addition.path} was changed while it was sent; nothing was published; run the same "
                "command again when nothing writes to it"
            )
    return operations


def _commit(
    repo: Repo,
    operations: Sequence[CommitOperationAdd | CommitOperationDelete],
    message: str,
    parent: str,
) -> str:
    def commit() -> str:
        try:
            done = repo.api.create_commit(
                repo.id,
                operations,
                commit_message=message,
                repo_type=repo.kind,
                parent_commit=parent,
            )
        except (HfHubHTTPError, httpx2.TransportError) as error:
            if (landed := _landed(repo, error, message, parent)) is not None:
                return landed
            raise
        return str(done.oid)

    return repo.submit(commit)


def _landed(repo: Repo, error: Exception, message: str, parent: str) -> str | None:
    """Return the commit if it was made and only the response was lost."""
    if not (is_transient(error) or status_of(error) == 412):
        return None
    commits = repo.query(lambda: repo.api.list_repo_commits(repo.id, repo_type=repo.kind))
    ours = len(commits) > 1 and commits[0].title == message and commits[1].commit_id == parent
    return str(commits[0].commit_id) if ours else None


def _batches(additions: Sequence[Addition]) -> Iterator[list[Addition]]:
    some: list[Addition] = []
    for addition in additions:
        if some and sum(a.n_bytes for a in some) + addition.n_bytes > BATCH_BYTES:
            yield some
            some = []
        some.append(addition)
    if some:
        yield some
