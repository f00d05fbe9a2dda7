"""Merge: combine the contents of a repository and of a folder into one release, without network.

All pictures of a revision have one recipe. Contents of the repository are removed only with
``--replace``, and no subject ever changes its split.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict, TypeVar

from psgimg.builder.card import release_notes
from psgimg.builder.card.release_notes import Release, Revision
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import build_json, build_report, placements
from psgimg.builder.dataset.build_json import BuildJson, CorpusFacts, Fixed
from psgimg.builder.dataset.release_json import ReleasedJson
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.release import places, visibility
from psgimg.builder.signals import corruption_spec, variant_spec


class _OfCorpus(TypedDict):
    corpus: str


Entry = TypeVar("Entry", bound=_OfCorpus)
Fact = TypeVar("Fact")


def grow(local: BuildJson, held: ReleasedJson | None, allow_loss: bool, repo_id: str) -> BuildJson:
    """Return the values of a repository's release after a folder is pushed to it.

    Policies are those that psgimg knows for the corpora, not those stated in a downloaded folder.

    Parameters
    ----------
    held
        Contents of the repository; None if it is empty.
    allow_loss
        Whether recordings of the repository that the folder does not have may be removed.

    Raises
    ------
    BuildError
        If a subject would change its split, recordings would be lost, or uncorrupted and corrupted
        pages would be mixed.
    """
    if held is None:
        return _sorted(local)
    refuse_other_signals(local["fixed"], held, repo_id)
    places.refuse_moved(local, held, release_of(held).people, repo_id)
    kept = set() if allow_loss else set(held["corpora"]) - set(local["corpora"])
    if not allow_loss:
        _refuse_loss(local, held, kept, repo_id)
    merged: BuildJson = {**local}
    merged["corpora"] = _by_corpus(held["corpora"], local["corpora"], kept)
    merged["counts"] = _by_corpus(held["counts"], local["counts"], kept)
    merged["left_out"] = _by_corpus(held["left_out"], local["left_out"], kept)
    merged["recordings"] = _listed(held["recordings"], local["recordings"], kept)
    merged["set_aside"] = _listed(held["set_aside"], local["set_aside"], kept)
    merged["shards"] = _listed(held["shards"], local["shards"], kept)
    placed = places.placed(local, held, merged["recordings"], allow_loss, repo_id)
    merged["folds"], merged["placements"] = placed["folds"], placed["placements"]
    if kept:
        lines = [*held["command"].splitlines(), *local["command"].splitlines()]
        merged["command"] = "\n".join(dict.fromkeys(lines))
    return _sorted(merged)


def refuse_other_signals(fixed: Fixed, held: ReleasedJson, repo_id: str) -> None:
    """Refuse to mix a corrupted twin and pages as recorded in one repository, or other variants.

    Parameters
    ----------
    fixed
        The settings of the folder, ``fixed`` in its ``build.json``.
    """
    remote, corrupted = held.get(corruption_spec.KEY), fixed.get(corruption_spec.KEY)
    if corrupted != remote:
        drawn = [
            f"corrupted by {one['spec']}" if one else "as recorded" for one in (remote, corrupted)
        ]
        raise BuildError(
            f"{repo_id} holds pages drawn {drawn[0]}, these are drawn {drawn[1]}; choose another "
            "--repo-id"
        )
    both = [part.get(variant_spec.KEY, []) for part in (held["fixed"], fixed)]
    if both[0] != both[1]:
        drawn = [" and ".join(one["spec"] for one in some) or "none" for some in both]
        raise BuildError(
            f"{repo_id} holds pages with the variants {drawn[0]}, these have {drawn[1]}; choose another "
            "--repo-id"
        )


def ever_restricted(values: ReleasedJson) -> frozenset[str]:
    """Return the restricted corpora of all revisions of a repository: old ones can still be loaded.

    Today's table of corpora decides; what the repository states can only restrict further.
    """
    revisions = release_of(values).revisions
    stated = {name for revision in revisions for name in revision.restricted}
    held = {name for revision in revisions for name in revision.corpora}
    closed = {name for name in held if not registry.is_open(name, Policy.OPEN)}
    return visibility.restricted_corpora(values["corpora"]) | stated | closed


def release_of(values: ReleasedJson) -> Release:
    """Return the release described in a repository's ``build.json``."""
    return Release.from_dict(values[release_notes.KEY])


def next_release(
    merged: BuildJson,
    held: ReleasedJson | None,
    release: Release,
    tags: Collection[str],
) -> Release:
    """Return the release with all its revisions, including a new one if pictures changed.

    Parameters
    ----------
    release
        The release without revisions.
    tags
        Tags of the repository: they never move, so that a tag always gives the same data.
    """
    before = release_of(held).revisions if held else ()
    release = replace(
        release, people=places.people(merged["recordings"], release_of(held).people if held else {})
    )
    if held and _shown(merged) == _shown(held):
        return replace(release, revisions=before)
    recipe_hash = merged["recipe_hash"]
    names = (f"recipe-{recipe_hash}" + (f"-{n}" if n > 1 else "") for n in itertools.count(1))
    taken = {*tags, *(revision.tag for revision in before)}
    tag = next(name for name in names if name not in taken)
    revision = Revision(
        tag=tag,
        recipe_hash=recipe_hash,
        rows=sum(shard["rows"] for shard in merged["shards"]),
        recordings=len(merged["recordings"]),
        corpora=tuple(sorted({fact["corpus"] for fact in merged["recordings"]})),
        restricted=tuple(sorted(visibility.restricted_corpora(merged["corpora"]))),
        what=_what(merged, held),
    )
    return replace(release, revisions=(*before, revision))


def _refuse_loss(local: BuildJson, held: ReleasedJson, kept: set[str], repo_id: str) -> None:
    mine = {(fact["corpus"], fact["recording"]) for fact in local["recordings"]}
    lost = sorted(
        (fact["corpus"], fact["recording"])
        for fact in held["recordings"]
        if fact["corpus"] not in kept and (fact["corpus"], fact["recording"]) not in mine
    )
    if lost:
        raise BuildError(
            f"{repo_id} has {len(lost)} recordings that are not in this folder, such as "
            f"{' '.join(lost[0])}; {places.COPY.format(repo_id)}, or add --replace to remove them"
        )
    changed = sorted(_differing(local["fixed"], held["fixed"]))
    if kept and changed:
        if "recipe" in changed:
            parts = _differing(local["recipe"], held["recipe"])
            changed[changed.index("recipe")] = f"recipe: {', '.join(parts)}"
        raise BuildError(
            f"{repo_id} holds {', '.join(sorted(kept))} built with other settings ({'; '.join(changed)}): "
            f"its montage is {held['recipe']['montage']['name']}; build with the same settings, rebuild all its "
            "corpora in one folder, or add --replace to remove the others"
        )


def _what(merged: BuildJson, held: ReleasedJson | None) -> str:
    """Return the changes of a revision, in one line."""
    if held is None:
        return "first release"
    parts = []
    if merged["recipe_hash"] != held["recipe_hash"]:
        keys = _differing(merged["recipe"], held["recipe"])
        parts.append(f"new recipe ({', '.join(keys)}): every page redrawn")
    before = {(fact["corpus"], fact["recording"]) for fact in held["recordings"]}
    after = {(fact["corpus"], fact["recording"]) for fact in merged["recordings"]}
    for sign, some in (("added", after - before), ("removed", before - after)):
        for corpus in sorted({name for name, _ in some}):
            n = sum(name == corpus for name, _ in some)
            parts.append(f"{n} recording{'s' if n > 1 else ''} of {corpus} {sign}")
    return "; ".join(parts) or "some pages redrawn or rescored"


def _differing(new: Mapping[str, object], old: Mapping[str, object]) -> list[str]:
    """Return the keys whose values differ."""
    return [key for key, value in new.items() if value != old.get(key)]


def _shown(values: BuildJson) -> list[tuple[str, str]]:
    return sorted((shard["path"], shard["sha256"]) for shard in values["shards"])


def _by_corpus(
    held: Mapping[str, Fact], local: Mapping[str, Fact], kept: Collection[str]
) -> dict[str, Fact]:
    """Return the remote entries of the corpora to keep, and all local ones."""
    return {**{name: held[name] for name in kept}, **local}


def _listed(held: Sequence[Entry], local: Sequence[Entry], kept: Collection[str]) -> list[Entry]:
    """Return the remote entries of a list that belong to corpora to keep, and all local ones."""
    return [*(entry for entry in held if entry["corpus"] in kept), *local]


def _sorted(values: BuildJson) -> BuildJson:
    """Return values as one build of everything would write them, in order and with known policies."""
    corpora: dict[str, CorpusFacts] = {
        name: {**entry, "policy": build_report.strictest({name: entry})}
        for name, entry in sorted(values["corpora"].items())
    }
    return {
        **values,
        "policy": build_report.strictest(corpora),
        "corpora": corpora,
        "counts": dict(sorted(values["counts"].items())),
        "left_out": dict(sorted(values["left_out"].items())),
        "parted": placements.parted(values["recordings"]),
        "recordings": sorted(values["recordings"], key=lambda e: (e["corpus"], e["recording"])),
        "set_aside": sorted(
            build_json.without_details(values["set_aside"]),
            key=lambda e: (e["corpus"], e["recording"], e["reason"]),
        ),
        "shards": sorted(values["shards"], key=lambda e: e["path"]),
    }
