"""Push: a finished folder becomes a release on the Hub, and is loaded back. The main path.

Readers never see half of it: everything is sent first, then one commit makes it the repository's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psgimg.builder.corpora import registry
from psgimg.builder.dataset import validate
from psgimg.builder.dataset.build_json import CorpusPolicy, ReleasedJson
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.progress import BYTES, Progress
from psgimg.builder.release import merge, plan, verify
from psgimg.builder.release.audit import audit
from psgimg.builder.release.hub import Hub, Repo, State, quiet
from psgimg.builder.release.plan import Plan
from psgimg.builder.release.retry import Told
from psgimg.builder.release.transfer import carry_out
from psgimg.builder.release.visibility import Visibility, Wish, decide, restricted_corpora
from psgimg.builder.signals.corruption_spec import CorruptionJson


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


@dataclass(frozen=True)
class _Place:
    """Where a release goes, what is there, and how it must stand."""

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
    told: Told,
    corrupted: CorruptionJson | None = None,
) -> None:
    """Refuse at once what would be refused after hours of building: token, name, policy.

    Parameters
    ----------
    sources
        Corpora of the build, as ``--source`` names them.
    corrupted
        What ``build.json`` will say of a corrupted twin.
    """
    terms: dict[str, CorpusPolicy] = {
        corpus.name: {"policy": corpus.terms.policy.value} for corpus in registry.corpora(sources)
    }
    place = _place(config, terms, told)
    if place.held is not None:
        merge.refuse_other_signals(corrupted, place.held, place.repo.id)


def push(config: PushConfig, progress: Progress, show: Callable[[Plan], None]) -> Pushed | None:
    """Release a folder; None after a dry run.

    Killed at any moment, the same command goes on: what has arrived is not sent again.

    Parameters
    ----------
    show
        Called with what is going to be sent where, before the first write.

    Raises
    ------
    BuildError
        If anything is not as it must be. Readers then still see the former revision, whole.
    """
    quiet()
    progress.start("asking the Hub")
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
    progress.start("loading it back")
    verify.verify(repo, commit, build, release.values)
    progress.start("tagging")
    if not release.tagged:
        repo.tag(release.revision.tag, commit)
    if visibility.public and not place.was_public:
        repo.publish(visibility, commit)
    return Pushed(release, commit)


def _place(config: PushConfig, corpora: Mapping[str, CorpusPolicy], told: Told) -> _Place:
    """Ask the Hub where a release of some corpora goes, and decide who may see it."""
    repo = Hub(told).repo(config.repo_id, "dataset")
    state = repo.state()
    held = plan.held(repo, state)
    secret = restricted_corpora(corpora)
    visibility = decide(repo.id, config.wish, secret, plan.standing(state, held))
    return _Place(repo, state, held, visibility)
