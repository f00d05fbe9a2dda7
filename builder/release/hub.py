"""Hub: access to a repository on the Hugging Face Hub.

All calls of the Hub are made here, and no token leaves the module. Refusals become one line with a
remedy; outages are waited out (``retry.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
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
from psgimg.builder.files import bounded
from psgimg.builder.release.retry import SHORT_S, Notify, call_with_retries, status_of

if TYPE_CHECKING:
    from psgimg.builder.release.visibility import Visibility

T = TypeVar("T")
Kind = Literal["dataset", "model"]

GIT = ".gitattributes"
"""The only file of a newly created repository."""

GATE: Final = "manual"


@dataclass(frozen=True)
class Stored:
    """A file of a repository: size in bytes, SHA-256 if in large-file storage, and Git blob id."""

    n_bytes: int
    sha256: str | None
    blob_id: str


@dataclass(frozen=True)
class State:
    """The current state of a repository."""

    head: str
    public: bool
    gate: str
    """How access requests are granted: ``manual``, ``auto``, or empty if access is not gated."""
    files: Mapping[str, Stored]
    tags: Mapping[str, str]
    """Tag → commit."""
    n_commits: int

    @property
    def is_bare(self) -> bool:
        """Whether the repository never contained anything."""
        return not set(self.files) - {GIT} and not self.tags and self.n_commits <= 1


class Hub:
    """The Hub, accessed as the signed-in user.

    Parameters
    ----------
    notify
        Called with a line of text when the Hub is unavailable and calls are retried.
    """

    def __init__(self, notify: Notify) -> None:
        token = get_token()
        if not token:
            raise BuildError(
                "no Hub token: run `hf auth login`, or set HF_TOKEN to a token with write access "
                "(https://huggingface.co/settings/tokens)"
            )
        if not re.fullmatch(r"[!-~]+", token):
            raise BuildError("the Hub token is malformed; run `hf auth login` again")
        self.api = HfApi(token=token)
        self._notify = notify
        account = call_with_retries(self.api.whoami, "the token", notify, SHORT_S)
        self.user = str(account["name"])
        self._owners = {self.user, *(str(org["name"]) for org in account.get("orgs", []))}
        self._paying = frozenset(_paying(account))
        role = account.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise BuildError(
                "the Hub token is read-only: create one with write access at "
                "https://huggingface.co/settings/tokens and use it in `hf auth login`"
            )

    def repo(self, repo_id: str, kind: Kind) -> Repo:
        """Return a repository, existing or not; a name without owner belongs to the user."""
        name = re.sub(r"^(https?://[^/]+/)?(datasets/)?", "", repo_id).strip("/")
        name = name if "/" in name else f"{self.user}/{name}"
        owners = frozenset(self._owners)
        return Repo(self.api, name, kind, owners, self._notify, self._paying)


@dataclass(frozen=True)
class Repo:
    """A repository of the Hub, existing or not."""

    api: HfApi
    id: str
    kind: Kind
    owners: frozenset[str]
    """Users and organisations in whose name this user may create repositories."""
    notify: Notify
    paying: frozenset[str] = frozenset()
    """Those of them who have a paid plan, as the Hub says."""

    @property
    def address(self) -> str:
        """URL of the repository's page."""
        folder = "datasets/" if self.kind == "dataset" else ""
        return f"{self.api.endpoint}/{folder}{self.id}"

    def state(self) -> State | None:
        """Return the current state of the repository; None if it does not exist."""
        try:
            info = self.query(lambda: self.api.repo_info(self.id, repo_type=self.kind))
        except RepositoryNotFoundError:
            self._refuse_other_kind()
            if (owner := self.id.partition("/")[0]) not in self.owners:
                raise BuildError(
                    f"no write access to {self.id}: it does not exist or is hidden, and {owner} is none "
                    f"of {', '.join(sorted(self.owners))}; choose another --repo-id"
                ) from None
            return None
        head = str(info.sha)
        entries = self.query(
            lambda: list(
                self.api.list_repo_tree(self.id, recursive=True, revision=head, repo_type=self.kind)
            )
        )
        refs = self.query(lambda: self.api.list_repo_refs(self.id, repo_type=self.kind))
        commits = self.query(lambda: self.api.list_repo_commits(self.id, repo_type=self.kind))
        return State(
            head=head,
            public=not info.private,
            gate=str(info.gated or ""),
            n_commits=len(commits),
            files={entry.path: _stored(entry) for entry in entries if isinstance(entry, RepoFile)},
            tags={tag.name: tag.target_commit for tag in refs.tags},
        )

    def read(self, path: str, revision: str, folder: Path) -> bytes:
        """Return a small file of the repository, downloaded to ``folder``."""
        path_here = self.query(
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
        return Path(path_here).read_bytes()

    def read_json(self, path: str, revision: str, folder: Path) -> Any:
        """Return the content of a JSON file of the repository, downloaded to ``folder``."""
        try:
            return bounded.loads(self.read(path, revision, folder), path, bounded.REPORT)
        except ValueError as error:
            raise BuildError(
                f"{path} of {self.id} is damaged ({error}); choose another --repo-id"
            ) from error

    def prepare(self, visibility: Visibility) -> None:
        """Create the repository if needed and set its visibility, verified before anything is sent.

        A new repository is private at first, even if it is to become public.
        """
        state = self.state()
        if state is None:
            self.submit(self._create)
        if visibility.gated and (state is None or state.gate != GATE):
            self.submit(
                lambda: self.api.update_repo_settings(self.id, repo_type=self.kind, gated=GATE)
            )
        self.check(visibility, "nothing was sent")

    def check(self, visibility: Visibility, so_far: str) -> str:
        """Verify on the Hub that the repository is private or gated as required; return its head.

        Raises
        ------
        BuildError
            If it is not. ``so_far`` states the consequence for what was done until now.
        """
        info = self.query(lambda: self.api.repo_info(self.id, repo_type=self.kind))
        if not info.private and not visibility.public:
            raise BuildError(f"{self.id} is not private as requested; {so_far}; check its settings")
        if visibility.gated and info.gated != GATE:
            raise BuildError(f"{self.id} is not gated as requested; {so_far}; check its settings")
        return str(info.sha)

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit."""
        self.submit(
            lambda: self.api.create_tag(
                self.id, tag=name, revision=commit, repo_type=self.kind, exist_ok=True
            )
        )

    def publish(self, visibility: Visibility, commit: str) -> None:
        """Make the repository public if its head is the commit that was checked.

        Raises
        ------
        BuildError
            If another commit was made in between; the repository is then private.
        """
        if self.check(visibility, "it stays private") == commit:
            self._show(True)
            if self.check(visibility, "make it private in its settings") == commit:
                return
            self._show(False)
        raise BuildError(
            f"{self.id} was changed by someone else in the meantime; it stays private; run the same "
            "command again"
        )

    def _show(self, public: bool) -> None:
        self.submit(
            lambda: self.api.update_repo_settings(self.id, repo_type=self.kind, private=not public)
        )

    def _create(self) -> None:
        try:
            self.api.create_repo(self.id, repo_type=self.kind, private=True)
        except HfHubHTTPError as error:
            # Created by an earlier attempt whose response was lost; if it is hidden, by someone else.
            if status_of(error) != 409 or self.state() is None:
                raise

    def _refuse_other_kind(self) -> None:
        """Refuse the name of a repository of another kind, which would be confusing."""
        for other in ("model", "dataset", "space"):
            if other != self.kind and self.query(
                lambda other=other: self.api.repo_exists(self.id, repo_type=other)  # type: ignore[misc]
            ):
                raise BuildError(
                    f"{self.id} is a {other}, not a {self.kind}; choose another --repo-id"
                )

    def query(self, call: Callable[[], T]) -> T:
        """Make a reading call with retries; RepositoryNotFoundError is passed on."""
        return call_with_retries(call, self.id, self.notify, allow_missing=True)

    def submit(self, call: Callable[[], T]) -> T:
        """Make a writing call with retries."""
        return call_with_retries(call, self.id, self.notify)


def _paying(account: Mapping[str, Any]) -> Iterator[str]:
    """Yield who of a user and the user's organisations has a paid plan, by ``whoami``."""
    if account.get("isPro"):
        yield str(account["name"])
    for org in account.get("orgs", []):
        if org.get("isEnterprise") or org.get("plan"):
            yield str(org["name"])


def _stored(entry: RepoFile) -> Stored:
    return Stored(entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id)


def quiet() -> None:
    """Silence the Hub client's progress bars and messages, as psgimg shows its own."""
    from huggingface_hub.utils.logging import set_verbosity_error
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    set_verbosity_error()  # type: ignore[no-untyped-call]
