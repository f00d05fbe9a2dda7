"""Push: a finished folder becomes a release on the Hub, and is loaded back. The main path.

Readers never see half of it: everything is sent first, then one commit makes it the repository's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from psgimg.builder import finished
from psgimg.builder.config import BuildConfig
from psgimg.builder.corpora import corpus
from psgimg.builder.release import plan, policy, verify
from psgimg.builder.release.audit import audit
from psgimg.builder.release.hub import Hub
from psgimg.builder.release.patience import Told
from psgimg.builder.release.plan import Plan
from psgimg.builder.release.policy import Wish
from psgimg.builder.release.transfer import carry_out


class Progress(Protocol):
    """What a push tells while it works."""

    def step(self, name: str, n_bytes: int = 0) -> None:
        """A step begins, over so many bytes where that is known."""

    def advance(self, n_bytes: int) -> None:
        """So many bytes of the step are done."""

    def note(self, message: str) -> None:
        """One line that the user should know, such as that the Hub is away."""

    def show(self, plan: Plan) -> None:
        """What is going to be sent where, before the first write."""


@dataclass(frozen=True)
class PushConfig:
    """One field an option of ``psgimg push``.

    Parameters
    ----------
    repo_id
        ``OWNER/NAME``, or ``NAME`` of the signed-in user.
    replace
        Whether what the repository holds and the folder has not is removed.
    """

    folder: Path
    repo_id: str = BuildConfig.out.name
    wish: Wish = field(default=Wish())
    replace: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Pushed:
    """A release as it now stands on the Hub."""

    plan: Plan
    commit: str


def check_ready(config: PushConfig, corpora: Iterable[str], told: Told) -> None:
    """Refuse at once what would be refused after hours of building: token, name, policy."""
    repo = Hub(told).repo(config.repo_id, "dataset")
    state = repo.state()
    terms = {name: {"policy": corpus(name).terms.policy.value} for name in corpora}
    standing = plan.standing(state, plan.held(repo, state))
    policy.decide(repo.id, config.wish, policy.restricted(terms), standing)


def push(config: PushConfig, progress: Progress) -> Pushed | None:
    """Release a folder; None after a dry run.

    Killed at any moment, the same command goes on: what has arrived is not sent again.

    Raises
    ------
    BuildError
        If anything is not as it must be. Readers then still see the former revision, whole.
    """
    progress.step("asking the Hub")
    corpora = finished.values(config.folder)["corpora"]
    repo = Hub(progress.note).repo(config.repo_id, "dataset")
    state = repo.state()
    held = plan.held(repo, state)
    standing = plan.standing(state, held)
    visibility = policy.decide(repo.id, config.wish, policy.restricted(corpora), standing)
    progress.step("checking the folder", _size(config.folder))
    build = audit(config.folder, progress.advance)
    release = plan.make(build, repo, state, held, visibility, config.replace)
    progress.show(release)
    if config.dry_run:
        return None

    progress.step("preparing the repository")
    repo.prepare(visibility)
    if release.untagged:
        repo.tag(release.untagged, release.transfer.parent)
    progress.step("sending", release.transfer.n_bytes)
    message = f"psgimg: {release.revision.what} ({release.revision.tag})"
    commit = carry_out(release.transfer, message, progress.advance)
    progress.step("loading it back")
    verify.verify(repo, commit, build, release.values)
    progress.step("tagging")
    if not release.tagged:
        repo.tag(release.revision.tag, commit)
    if visibility.public and not (standing and standing.public):
        repo.publish(visibility, commit)
    return Pushed(release, commit)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "data").rglob("*.parquet"))
