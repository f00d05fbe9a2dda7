"""Hub: a repository on the Hugging Face Hub. Nothing else speaks to it, and no token leaves here.

What the Hub refuses becomes one line with a remedy; what is only down for a while is waited out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    get_token,
    hf_hub_download,
)
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from psgimg.builder.errors import BuildError
from psgimg.builder.release.patience import is_transient, patiently, status_of

if TYPE_CHECKING:
    from psgimg.builder.release.policy import Visibility

T = TypeVar("T")
Kind = Literal["dataset", "model"]

BATCH_BYTES = 500_000_000
"""Sent together: what a kill costs at most, through Xet, which keeps nothing of a torn batch."""


@dataclass(frozen=True)
class Stored:
    """A file of a repository: bytes, SHA-256 if it is in large-file storage, and Git's id."""

    n_bytes: int
    sha256: str | None
    blob_id: str


@dataclass(frozen=True)
class State:
    """A repository as it is now."""

    head: str
    public: bool
    gated: bool
    files: Mapping[str, Stored]
    tags: Mapping[str, str]
    """Tag → commit."""


@dataclass(frozen=True)
class Addition:
    """A file to send: its path in the repository, and its content or where that lies."""

    path: str
    source: Path | bytes
    n_bytes: int


class Hub:
    """The Hub as one signed-in user sees it."""

    def __init__(self) -> None:
        token = get_token()
        if not token:
            raise BuildError(
                "no Hub token: run `hf auth login`, or set HF_TOKEN to a token with write right "
                "(https://huggingface.co/settings/tokens)"
            )
        self.api = HfApi(token=token)
        account = patiently(self.api.whoami, "the token")
        self.user = str(account["name"])
        role = account.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise BuildError(
                "the Hub token may only read: make one with write right at "
                "https://huggingface.co/settings/tokens and `hf auth login` with it"
            )

    def repo(self, repo_id: str, kind: Kind) -> Repo:
        """A repository, there or not; a name without owner is the user's own."""
        name = repo_id if "/" in repo_id else f"{self.user}/{repo_id}"
        return Repo(self.api, name, kind)


@dataclass(frozen=True)
class Repo:
    """One repository."""

    api: HfApi
    id: str
    kind: Kind

    @property
    def address(self) -> str:
        """Where people look at it."""
        folder = "datasets/" if self.kind == "dataset" else ""
        return f"{self.api.endpoint}/{folder}{self.id}"

    def state(self) -> State | None:
        """The repository as it is; None if there is none."""
        try:
            info = self._ask(lambda: self.api.repo_info(self.id, repo_type=self.kind))
        except RepositoryNotFoundError:
            self._refuse_other_kind()
            return None
        head = str(info.sha)
        entries = self._ask(
            lambda: list(
                self.api.list_repo_tree(self.id, recursive=True, revision=head, repo_type=self.kind)
            )
        )
        refs = self._ask(lambda: self.api.list_repo_refs(self.id, repo_type=self.kind))
        return State(
            head=head,
            public=not info.private,
            gated=bool(info.gated),
            files={entry.path: _stored(entry) for entry in entries if isinstance(entry, RepoFile)},
            tags={tag.name: tag.target_commit for tag in refs.tags},
        )

    def read_json(self, path: str, revision: str, folder: Path) -> Any:
        """A JSON file of the repository, by way of ``folder``."""
        found = self._ask(
            lambda: hf_hub_download(
                self.id,
                path,
                repo_type=self.kind,
                revision=revision,
                local_dir=folder,
                endpoint=self.api.endpoint,
                token=self.api.token,
            )
        )
        try:
            return json.loads(Path(found).read_text(encoding="utf-8"))
        except ValueError as error:
            raise BuildError(
                f"{path} of {self.id} is damaged ({error}); choose another --repo-id"
            ) from error

    def prepare(self, visibility: Visibility) -> None:
        """Have the repository stand as it must before a byte is sent, read back from the Hub.

        A new one is private at first, whatever it is to become.
        """
        if self.state() is None:
            self._say(self._create)
        if visibility.gated:
            self._say(
                lambda: self.api.update_repo_settings(self.id, repo_type=self.kind, gated="manual")
            )
        state = self.state()
        if state is None or (state.public and not visibility.public):
            raise BuildError(
                f"{self.id} is not private although it was asked to be; nothing was sent"
            )
        if visibility.gated and not state.gated:
            raise BuildError(
                f"{self.id} is not gated although it was asked to be; nothing was sent"
            )

    def send(
        self,
        additions: Sequence[Addition],
        removed: Sequence[str],
        message: str,
        parent: str,
        sent: Callable[[int], None],
    ) -> str:
        """Send files and make them the repository's in one commit; its id.

        Until that commit readers see the former revision, whole. Files that the Hub holds
        already, from a run that was killed, are not sent again.

        Parameters
        ----------
        parent
            The commit that the plan was made for; if another came in between, nothing changes.
        sent
            Told the number of bytes, each time some files have arrived.
        """
        operations = [CommitOperationAdd(addition.path, addition.source) for addition in additions]
        for some in _batches(additions, operations):
            self._say(
                lambda some=some: self.api.preupload_lfs_files(  # type: ignore[misc]
                    self.id,
                    [operation for _, operation in some],
                    repo_type=self.kind,
                    free_memory=False,
                    gitignore_content="",  # a .gitignore in the repository must not drop a shard
                )
            )
            sent(sum(addition.n_bytes for addition, _ in some))
        deletions = [CommitOperationDelete(path, is_folder=False) for path in removed]
        return self._commit([*operations, *deletions], message, parent)

    def tag(self, name: str, commit: str) -> None:
        """Name a commit."""
        self._say(
            lambda: self.api.create_tag(
                self.id, tag=name, revision=commit, repo_type=self.kind, exist_ok=True
            )
        )

    def publish(self) -> None:
        """Make the repository public."""
        self._say(
            lambda: self.api.update_repo_settings(self.id, repo_type=self.kind, private=False)
        )

    def _create(self) -> None:
        try:
            self.api.create_repo(self.id, repo_type=self.kind, private=True)
        except HfHubHTTPError as error:
            # Of an earlier try whose answer was lost; if it is not to be seen, somebody else's.
            if status_of(error) != 409 or self.state() is None:
                raise

    def _commit(
        self,
        operations: Sequence[CommitOperationAdd | CommitOperationDelete],
        message: str,
        parent: str,
    ) -> str:
        def commit() -> str:
            try:
                done = self.api.create_commit(
                    self.id,
                    operations,
                    commit_message=message,
                    repo_type=self.kind,
                    parent_commit=parent,
                )
            except (HfHubHTTPError, httpx2.TransportError) as error:
                if (landed := self._landed(error, message, parent)) is not None:
                    return landed
                raise
            return str(done.oid)

        return self._say(commit)

    def _landed(self, error: Exception, message: str, parent: str) -> str | None:
        """The commit, if it was made and only the answer was lost on the way."""
        if not (is_transient(error) or status_of(error) == 412):
            return None
        commits = self._ask(lambda: self.api.list_repo_commits(self.id, repo_type=self.kind))
        ours = len(commits) > 1 and commits[0].title == message and commits[1].commit_id == parent
        return str(commits[0].commit_id) if ours else None

    def _refuse_other_kind(self) -> None:
        """Refuse a name that is taken by a repository of another kind: people would mix them up."""
        for other in ("model", "dataset", "space"):
            if other != self.kind and self._ask(
                lambda other=other: self.api.repo_exists(self.id, repo_type=other)  # type: ignore[misc]
            ):
                raise BuildError(
                    f"{self.id} is a {other}, not a {self.kind}; choose another --repo-id"
                )

    def _ask(self, question: Callable[[], T]) -> T:
        """A reading call; that a repository isn't there is an answer."""
        return patiently(question, self.id, missing_is_answer=True)

    def _say(self, action: Callable[[], T]) -> T:
        """A writing call."""
        return patiently(action, self.id)


def _stored(entry: RepoFile) -> Stored:
    return Stored(entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)


def _batches(
    additions: Sequence[Addition], operations: Sequence[CommitOperationAdd]
) -> Iterator[list[tuple[Addition, CommitOperationAdd]]]:
    some: list[tuple[Addition, CommitOperationAdd]] = []
    for pair in zip(additions, operations, strict=True):
        if some and sum(a.n_bytes for a, _ in some) + pair[0].n_bytes > BATCH_BYTES:
            yield some
            some = []
        some.append(pair)
    if some:
        yield some
