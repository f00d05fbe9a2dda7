"""Hub: a repository on the Hugging Face Hub. Nothing else speaks to it, and no token leaves here.

What the Hub refuses becomes one line with a remedy; what is only down for a while is waited out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from huggingface_hub import (
    HfApi,
    get_token,
    hf_hub_download,
)
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from psgimg.builder.errors import BuildError
from psgimg.builder.release.retry import SHORT_S, Told, patiently, status_of

if TYPE_CHECKING:
    from psgimg.builder.release.visibility import Visibility

T = TypeVar("T")
Kind = Literal["dataset", "model"]

GIT = ".gitattributes"
"""What a repository holds that was just created."""

GATE: Final = "manual"


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
    gate: str
    """How access is granted: ``manual``, ``auto``, or empty where nobody has to ask."""
    files: Mapping[str, Stored]
    tags: Mapping[str, str]
    """Tag → commit."""
    n_commits: int

    @property
    def is_bare(self) -> bool:
        """Whether it never held anything."""
        return not set(self.files) - {GIT} and not self.tags and self.n_commits <= 1


class Hub:
    """The Hub as one signed-in user sees it.

    Parameters
    ----------
    told
        Told in a line when the Hub is away and waited for.
    """

    def __init__(self, told: Told) -> None:
        token = get_token()
        if not token:
            raise BuildError(
                "no Hub token: run `hf auth login`, or set HF_TOKEN to a token with write right "
                "(https://huggingface.co/settings/tokens)"
            )
        if not re.fullmatch(r"[!-~]+", token):
            raise BuildError("the Hub token is malformed; run `hf auth login` again")
        self.api = HfApi(token=token)
        self._told = told
        account = patiently(self.api.whoami, "the token", told, SHORT_S)
        self.user = str(account["name"])
        self._owners = {self.user, *(str(org["name"]) for org in account.get("orgs", []))}
        role = account.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise BuildError(
                "the Hub token may only read: make one with write right at "
                "https://huggingface.co/settings/tokens and `hf auth login` with it"
            )

    def repo(self, repo_id: str, kind: Kind) -> Repo:
        """A repository, there or not; a name without owner is the user's own."""
        name = re.sub(r"^(https?://[^/]+/)?(datasets/)?", "", repo_id).strip("/")
        name = name if "/" in name else f"{self.user}/{name}"
        return Repo(self.api, name, kind, frozenset(self._owners), self._told)


@dataclass(frozen=True)
class Repo:
    """One repository."""

    api: HfApi
    id: str
    kind: Kind
    owners: frozenset[str]
    """Under whose names this user may create repositories."""
    told: Told

    @property
    def address(self) -> str:
        """Where people look at it."""
        folder = "datasets/" if self.kind == "dataset" else ""
        return f"{self.api.endpoint}/{folder}{self.id}"

    def state(self) -> State | None:
        """The repository as it is; None if there is none."""
        try:
            info = self.ask(lambda: self.api.repo_info(self.id, repo_type=self.kind))
        except RepositoryNotFoundError:
            self._refuse_other_kind()
            if (owner := self.id.partition("/")[0]) not in self.owners:
                raise BuildError(
                    f"no right to write to {self.id}: it does not exist or is hidden, and {owner} is none "
                    f"of {', '.join(sorted(self.owners))}; choose another --repo-id"
                ) from None
            return None
        head = str(info.sha)
        entries = self.ask(
            lambda: list(
                self.api.list_repo_tree(self.id, recursive=True, revision=head, repo_type=self.kind)
            )
        )
        refs = self.ask(lambda: self.api.list_repo_refs(self.id, repo_type=self.kind))
        commits = self.ask(lambda: self.api.list_repo_commits(self.id, repo_type=self.kind))
        return State(
            head=head,
            public=not info.private,
            gate=str(info.gated or ""),
            n_commits=len(commits),
            files={entry.path: _stored(entry) for entry in entries if isinstance(entry, RepoFile)},
            tags={tag.name: tag.target_commit for tag in refs.tags},
        )

    def read(self, path: str, revision: str, folder: Path) -> bytes:
        """A small file of the repository, by way of ``folder``."""
        found = self.ask(
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
        return Path(found).read_bytes()

    def read_json(self, path: str, revision: str, folder: Path) -> Any:
        """A JSON file of the repository, by way of ``folder``."""
        try:
            return json.loads(self.read(path, revision, folder))
        except ValueError as error:
            raise BuildError(
                f"{path} of {self.id} is damaged ({error}); choose another --repo-id"
            ) from error

    def prepare(self, visibility: Visibility) -> None:
        """Have the repository stand as it must before a byte is sent, read back from the Hub.

        A new one is private at first, whatever it is to become.
        """
        state = self.state()
        if state is None:
            self.say(self._create)
        if visibility.gated and (state is None or state.gate != GATE):
            self.say(
                lambda: self.api.update_repo_settings(self.id, repo_type=self.kind, gated=GATE)
            )
        self.check(visibility, "nothing was sent")

    def check(self, visibility: Visibility, so_far: str) -> str:
        """Read back that the repository shows itself to nobody it must not; its head.

        Raises
        ------
        BuildError
            If it does. ``so_far`` says what that means for what was done until now.
        """
        info = self.ask(lambda: self.api.repo_info(self.id, repo_type=self.kind))
        if not info.private and not visibility.public:
            raise BuildError(
                f"{self.id} is not private although it was asked to be; {so_far}; see its settings"
            )
        if visibility.gated and info.gated != GATE:
            raise BuildError(
                f"{self.id} is not gated although it was asked to be; {so_far}; see its settings"
            )
        return str(info.sha)

    def tag(self, name: str, commit: str) -> None:
        """Name a commit."""
        self.say(
            lambda: self.api.create_tag(
                self.id, tag=name, revision=commit, repo_type=self.kind, exist_ok=True
            )
        )

    def publish(self, visibility: Visibility, commit: str) -> None:
        """Make the repository public, if it holds just what was checked.

        Raises
        ------
        BuildError
            If somebody else's commit came in between; it is private then.
        """
        if self.check(visibility, "it stays private") == commit:
            self._show(True)
            if self.check(visibility, "make it private in its settings") == commit:
                return
            self._show(False)
        raise BuildError(
            f"{self.id} was changed by somebody else meanwhile; it stays private, run the same command "
            "again"
        )

    def _show(self, public: bool) -> None:
        self.say(
            lambda: self.api.update_repo_settings(self.id, repo_type=self.kind, private=not public)
        )

    def _create(self) -> None:
        try:
            self.api.create_repo(self.id, repo_type=self.kind, private=True)
        except HfHubHTTPError as error:
            # Of an earlier try whose answer was lost; if it is not to be seen, somebody else's.
            if status_of(error) != 409 or self.state() is None:
                raise

    def _refuse_other_kind(self) -> None:
        """Refuse a name that is taken by a repository of another kind: people would mix them up."""
        for other in ("model", "dataset", "space"):
            if other != self.kind and self.ask(
                lambda other=other: self.api.repo_exists(self.id, repo_type=other)  # type: ignore[misc]
            ):
                raise BuildError(
                    f"{self.id} is a {other}, not a {self.kind}; choose another --repo-id"
                )

    def ask(self, question: Callable[[], T]) -> T:
        """A reading call; that a repository isn't there is an answer."""
        return patiently(question, self.id, self.told, missing_is_answer=True)

    def say(self, action: Callable[[], T]) -> T:
        """A writing call."""
        return patiently(action, self.id, self.told)


def _stored(entry: RepoFile) -> Stored:
    return Stored(entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)


def quiet() -> None:
    """Leave progress and waits to psgimg: the Hub's client would show each a second time."""
    from huggingface_hub.utils.logging import set_verbosity_error
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    set_verbosity_error()  # type: ignore[no-untyped-call]
