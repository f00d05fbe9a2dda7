"""Plan: the files that a push sends, keeps and removes, with the new card of the repository."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.card import contact_sheet, croissant, dataset_card, terms_files
from psgimg.builder.card.release_notes import Release, Revision
from psgimg.builder.dataset import build_report, build_schema, placements
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.json_form import FormError
from psgimg.builder.dataset.release_json import ReleasedJson
from psgimg.builder.errors import BuildError
from psgimg.builder.release import merge
from psgimg.builder.release.audit import Build, check_head
from psgimg.builder.release.hub import GIT, Repo, State
from psgimg.builder.release.transfer import Transfer, compare
from psgimg.builder.release.visibility import (
    FORMERLY,
    SHORTEST_PERMISSION,
    Standing,
    Visibility,
)


@dataclass(frozen=True)
class Plan:
    """A release that is ready to be sent.

    Parameters
    ----------
    values
        New contents of the repository's ``build.json``.
    tagged
        Whether the revision is already tagged.
    """

    transfer: Transfer
    values: ReleasedJson
    tagged: bool
    untagged: str = ""
    """Tag missing from the current revision, because a push was killed before tagging."""
    edited: bool = False
    """Whether the card was edited on the Hub and will be replaced."""

    @property
    def revision(self) -> Revision:
        """The revision that this release creates."""
        return merge.release_of(self.values).revisions[-1]


def held(repo: Repo, state: State | None) -> ReleasedJson | None:
    """Return the contents of a repository according to its ``build.json``; None if it is empty.

    Raises
    ------
    BuildError
        If it contains files not written by psgimg, or its shards differ from its ``build.json``.
    """
    if state is None or not set(state.files) - {GIT}:
        return None
    if build_report.FILE not in state.files:
        foreign = sorted(set(state.files) - {GIT})
        raise BuildError(
            f"{repo.id} contains files not written by psgimg ({', '.join(foreign[:3])}"
            f"{', …' if len(foreign) > 3 else ''}); choose another --repo-id, or delete them there"
        )
    with tempfile.TemporaryDirectory() as folder:
        read = repo.read_json(build_report.FILE, state.head, Path(folder))
    try:
        values = build_schema.check_released(read)
        merge.release_of(values)
    except (FormError, TypeError) as error:  # TypeError: a key of a later psgimg
        raise BuildError(
            f"{build_report.FILE} of {repo.id} is damaged or from another version of psgimg ({error}); "
            "choose another --repo-id"
        ) from error
    stated = {shard["path"]: shard["sha256"] for shard in values["shards"]}
    actual = {path: f.sha256 for path, f in state.files.items() if path.startswith("data/")}
    if stated != actual:
        odd = min(path for path in {*stated, *actual} if stated.get(path) != actual.get(path))
        raise BuildError(
            f"{repo.id} was changed by hand: {odd} differs from its {build_report.FILE}; choose another "
            "--repo-id, or restore that file there"
        )
    return values


def standing(state: State | None, values: ReleasedJson | None) -> Standing | None:
    """Return a repository's standing, on which the visibility of a release depends."""
    if state is None:
        return None
    if values is None:
        # Deleted files can still be loaded by commit, and their corpora are unknown.
        return Standing(state.public, frozenset() if state.is_bare else frozenset({FORMERLY}))
    release = merge.release_of(values)
    stated = len(release.permission.strip()) >= SHORTEST_PERMISSION
    return Standing(
        state.public,
        merge.ever_restricted(values),
        release.permission if stated else "",
        frozenset(release.permitted if stated else ()),
    )


def make(
    build: Build,
    repo: Repo,
    state: State | None,
    before: ReleasedJson | None,
    visibility: Visibility,
    allow_loss: bool,
) -> Plan:
    """Plan the release of a folder."""
    grown = merge.grow(build.values, before, allow_loss, repo.id)
    bare = Release(repo.id, visibility.public, visibility.permission, visibility.permitted)
    release = merge.next_release(grown, before, bare, state.tags if state else ())
    merged: ReleasedJson = {**grown, "release": release.to_dict()}
    sources = _sources(build, merged)
    remote = state.files if state else {}
    shards = {shard["path"] for shard in merged["shards"]}
    ours = {path for path in remote if path.startswith("data/")}
    ours |= set(before["files"]) if before else set()
    transfer = compare(
        repo,
        state,
        visibility,
        sources,
        removed=ours - set(sources) - shards,
        others=shards,
        hashes=build.files,
    )
    tagged = state is not None and release.revisions[-1].tag in state.tags
    return Plan(transfer, merged, tagged, _untagged(state, before), _edited(repo, state, before))


def _untagged(state: State | None, before: ReleasedJson | None) -> str:
    tag = merge.release_of(before).revisions[-1].tag if before else ""
    return "" if state is None or tag in state.tags else tag


def _edited(repo: Repo, state: State | None, before: ReleasedJson | None) -> bool:
    if state is None or before is None or dataset_card.FILE not in state.files:
        return False
    with tempfile.TemporaryDirectory() as folder:
        card = repo.read(dataset_card.FILE, state.head, Path(folder))
    return build_report.entry(card)["sha256"] != before["files"][dataset_card.FILE]["sha256"]


def _sources(build: Build, merged: ReleasedJson) -> dict[str, Path | bytes]:
    """Return every file of the folder by its path in the repository; set ``files`` of ``merged``."""
    folder = build.folder
    pictures = contact_sheet.choose(folder, build.values["recordings"])
    examples = {stage: chosen[0] for stage, chosen in pictures.items() if chosen}
    result = Report(merged)
    texts = {
        dataset_card.FILE: dataset_card.text(result, examples),
        croissant.FILE: build_report.text(croissant.croissant(merged)),
        **terms_files.texts(merged),
    }
    if merged["folds"]:
        texts[build_report.FOLDS_FILE] = placements.folds_text(merged)
    check_head(texts[dataset_card.FILE], result, "the release's card")
    made = {path: text.encode() for path, text in texts.items()}
    beside = [path for path in build.values["files"] if path not in made]
    listed = {path: build.values["files"][path] for path in beside}
    listed |= {path: build_report.entry(data) for path, data in made.items()}
    merged["files"] = dict(sorted(listed.items()))
    made[build_report.FILE] = build_report.text(merged).encode()
    shards = [shard["path"] for shard in build.values["shards"]]
    return {**{path: folder / path for path in (*beside, *shards)}, **made}
