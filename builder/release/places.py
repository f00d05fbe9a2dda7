"""Places: nobody who is, or was, in a repository ever changes split or fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psgimg.builder.dataset import placements
from psgimg.builder.dataset.build_json import BuildJson, BuiltRecording, Placements
from psgimg.builder.dataset.release_json import ReleasedJson
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.errors import BuildError
from typing_extensions import TypedDict

People = Mapping[str, Mapping[str, SplitName]]
"""Corpus → family or subject → split."""

COPY = (
    "build into a copy of it (hf download {0} --repo-type dataset --local-dir DIR, then psgimg build "
    "--out DIR)"
)
"""Remedy for a folder that was not built from the repository it is pushed to."""


class Placed(TypedDict):
    """The keys of ``build.json`` on who is where."""

    folds: int
    placements: Placements


def people(recordings: Sequence[BuiltRecording], before: People) -> dict[str, dict[str, SplitName]]:
    """Return the split of everyone in this and former revisions, by corpus.

    The members of a family that a published split parts stand for themselves.
    """
    everyone = {corpus: dict(who) for corpus, who in before.items()}
    apart = _parted(recordings)
    for fact in recordings:
        key = fact["subject"] if (fact["corpus"], fact["kin"]) in apart else fact["kin"]
        everyone.setdefault(fact["corpus"], {})[key] = fact["split"]
    return {corpus: dict(sorted(who.items())) for corpus, who in sorted(everyone.items())}


def refuse_moved(local: BuildJson, held: ReleasedJson, former: People, repo_id: str) -> None:
    """Refuse to move a subject, or a relative, from one split to another.

    Parameters
    ----------
    former
        Those of all revisions, as ``people`` returns them.

    Raises
    ------
    BuildError
        If someone would move.
    """
    apart = _parted(held["recordings"])
    before = {(c, who): split for c, by in former.items() for who, split in by.items()}
    for fact in held["recordings"]:
        before[fact["corpus"], fact["subject"]] = fact["split"]
        if (family := (fact["corpus"], fact["kin"])) not in apart:
            before[family] = fact["split"]
    moved = {
        (fact["corpus"], fact["subject"]): (name, before[fact["corpus"], name], fact["split"])
        for fact in local["recordings"]
        for name in (fact["kin"], fact["subject"])
        if before.get((fact["corpus"], name), fact["split"]) != fact["split"]
    }
    if moved:
        corpus, _ = first = min(moved)
        name, old, new = moved[first]
        raise BuildError(
            f"{len(moved)} subjects would change their split: {corpus} {name} is in {old} in "
            f"{repo_id} and in {new} here; {COPY.format(repo_id)} with the --seed, --splits and "
            "--split-file on its card, or choose another --repo-id"
        )


def _parted(recordings: Iterable[BuiltRecording]) -> set[tuple[str, str]]:
    """Return corpus and name of the families whose members are in different splits."""
    splits: dict[tuple[str, str], SplitName] = {}
    return {
        family
        for fact in recordings
        if splits.setdefault(family := (fact["corpus"], fact["kin"]), fact["split"])
        != fact["split"]
    }


def placed(
    local: BuildJson,
    held: ReleasedJson,
    recordings: Sequence[BuiltRecording],
    allow_loss: bool,
    repo_id: str,
) -> Placed:
    """Return the folds and the placements of everyone who is, or was, in the repository.

    Raises
    ------
    BuildError
        If someone would change the fold, which only ``allow_loss`` permits.
    """
    before, now = held["placements"], local["placements"]
    n_folds = local["folds"] or held["folds"]
    moved = sorted(
        (corpus, name)
        for corpus, by in now["folds"].items()
        for name, fold in by.items()
        if before["folds"].get(corpus, {}).get(name, fold) != fold
    )
    renumbered = bool(held["folds"]) and n_folds != held["folds"]
    if (moved or renumbered) and not allow_loss:
        who = (
            f"is in {held['folds']} folds, these pages in {n_folds}"
            if renumbered
            else f"has {' '.join(moved[0])} and others in other folds"
        )
        raise BuildError(f"{repo_id} {who}; {COPY.format(repo_id)}, or add --replace")
    lost = moved or renumbered
    folds = {} if lost else {name: dict(by) for name, by in before["folds"].items()}
    for corpus, by in now["folds"].items():
        folds.setdefault(corpus, {}).update(by)
    splits = {name: dict(by) for name, by in before["splits"].items()}
    for corpus, own in now["splits"].items():
        splits.setdefault(corpus, {}).update(own)
    if n_folds:
        everyone = placements.persons(recordings)
        folds = placements.place_folds(everyone, n_folds, local["fixed"]["seed"], folds)
    return {
        "folds": n_folds,
        "placements": {"splits": dict(sorted(splits.items())), "folds": folds},
    }
