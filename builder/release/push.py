"""Push: publish a finished folder as a release on the Hub and verify it; the main path.

Readers never see an incomplete release: all files are sent first, then added in one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psgimg.builder.corpora import registry
from psgimg.builder.dataset import validate
from psgimg.builder.dataset.build_json import CorpusPolicy, Fixed
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.release_json import ReleasedJson
from psgimg.builder.progress import BYTES, Progress
from psgimg.builder.release import merge, plan, storage, verify
from psgimg.builder.release.audit import audit
from psgimg.builder.release.hub import Hub, Repo, State, quiet
from psgimg.builder.release.plan import Plan
from psgimg.builder.release.retry import Notify
from psgimg.builder.release.transfer import carry_out
from psgimg.builder.release.visibility import Visibility, Wish, decide, restricted_corpora
from psgimg.builder.words import counted, size


@dataclass(frozen=True)
class PushConfig:
    """The options of ``psgimg push``, one per field.

    Parameters
    ----------
    repo_id
        ``OWNER/NAME``, or ``NAME`` in the signed-in user's account.
    replace
        Whether recordings of the repository that are not in the folder are removed.
    """

    folder: Path
    repo_id: str = BuildConfig.out.name
    wish: Wish = field(default=Wish())
    replace: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Pushed:
    """A published release."""

    plan: Plan
    commit: str


@dataclass(frozen=True)
class Ready:
    """Where a release will go once it is built; ``exists`` if the repository is there already."""

    repo: Repo
    exists: bool
    visibility: Visibility

    def expect(self, n_recordings: int, n_bytes: int, notify: Notify) -> None:
        """Say how large the release will be, and refuse it if the Hub says that it does not fit.

        The Hub is asked before anything is drawn. A repository that does not exist can't be asked
        about; it is created, private, for a release so large that drawing it in vain costs days.

        Raises
        ------
        BuildError
            If the Hub has no room for it.
        """
        room = "" if self.visibility.public else storage.caution(self.repo)
        notify(
            f"the release will have about {size(n_bytes)}, {counted(n_recordings, 'recording')}, in "
            f"{self.repo.id} ({self.visibility}){room}"
        )
        if not self.exists and n_bytes >= storage.LARGE_BYTES:
            self.repo.prepare(self.visibility)
        if self.exists or n_bytes >= storage.LARGE_BYTES:
            storage.require(self.repo, n_bytes)


@dataclass(frozen=True)
class _Place:
    """The target of a release: its repository, current contents and required visibility."""

    repo: Repo
    state: State | None
    held: ReleasedJson | None
    visibility: Visibility

    @property
    def was_public(self) -> bool:
        return self.state is not None and self.state.public


def check_ready(
    config: PushConfig,
    sources: Iterable[str],
    notify: Notify,
    fixed: Fixed | None = None,
) -> Ready:
    """Refuse before the build what would be refused after it: token, name, policy.

    Parameters
    ----------
    sources
        Corpora of the build, as passed to ``--source``.
    fixed
        The settings of the build, as ``fixed`` in its ``build.json``.

    Returns
    -------
    Ready
        Where the release will go.
    """
    terms: dict[str, CorpusPolicy] = {
        corpus.name: {"policy": corpus.terms.policy.value} for corpus in registry.corpora(sources)
    }
    place = _place(config, terms, notify)
    if place.held is not None and fixed is not None:
        merge.refuse_other_signals(fixed, place.held, place.repo.id)
    return Ready(place.repo, place.state is not None, place.visibility)


def push(config: PushConfig, progress: Progress, show: Callable[[Plan], None]) -> Pushed | None:
    """Release a folder; None after a dry run.

    After an interruption, the same command resumes: files that have arrived are not sent again.

    Parameters
    ----------
    show
        Called with the plan before the first write.

    Raises
    ------
    BuildError
        If any check fails. Readers then still see the former revision, complete.
    """
    quiet()
    progress.start("querying the Hub")
    values = validate.values(config.folder)
    place = _place(config, values["corpora"], progress.note)
    repo, visibility = place.repo, place.visibility
    progress.start("checking the folder", sum(shard["bytes"] for shard in values["shards"]), BYTES)
    build = audit(config.folder, values, progress.advance)
    release = plan.make(build, repo, place.state, place.held, visibility, config.replace)
    show(release)
    if config.dry_run:
        return None

    progress.start("preparing the repository")
    repo.prepare(visibility)
    if release.untagged:
        repo.tag(release.untagged, release.transfer.parent)
    progress.start("sending", release.transfer.n_bytes, BYTES)
    message = f"psgimg: {release.revision.what} ({release.revision.tag})"
    commit = carry_out(release.transfer, message, progress.advance)
    progress.start("verifying")
    verify.verify(repo, commit, build, release.values)
    progress.start("tagging")
    if not release.tagged:
        repo.tag(release.revision.tag, commit)
    if visibility.public and not place.was_public:
        repo.publish(visibility, commit)
    return Pushed(release, commit)


def _place(config: PushConfig, corpora: Mapping[str, CorpusPolicy], notify: Notify) -> _Place:
    """Query the target repository of some corpora, and decide the visibility of the release."""
    repo = Hub(notify).repo(config.repo_id, "dataset")
    state = repo.state()
    held = plan.held(repo, state)
    restricted = restricted_corpora(corpora)
    visibility = decide(repo.id, config.wish, restricted, plan.standing(state, held))
    return _Place(repo, state, held, visibility)
