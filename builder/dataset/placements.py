"""Placements: the record of who is in which split and fold, so that nobody moves, and ``folds.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from psgimg.builder.dataset.build_json import (
    BuildFacts,
    BuiltRecording,
    Parted,
    Placements,
    RecordingFacts,
)
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.rebuild_json import ExportFacts
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.dataset.shards import Key
from psgimg.builder.dataset.splits import SplitPolicy, SubjectSplits
from psgimg.builder.errors import BuildError
from psgimg.builder.placing import people, shares
from psgimg.builder.placing.people import Person

Folds = dict[str, dict[str, int]]
"""Corpus → family or subject → fold."""


def persons(facts: Iterable[RecordingFacts]) -> list[Person]:
    """Return the person of each recording."""
    return [Person(fact["corpus"], fact["subject"], fact["kin"]) for fact in facts]


def in_splits(values: BuildFacts | ExportFacts | None) -> dict[tuple[str, str], SplitName]:
    """Return (corpus, subject or family) → split of everyone whom a dataset has ever placed."""
    if values is None:
        return {}
    recorded = values["placements"]["splits"]
    placed = {(c, name): split for c, by in recorded.items() for name, split in by.items()}
    return placed | {(f["corpus"], f["subject"]): f["split"] for f in values["recordings"]}


def of_recordings(
    facts: Iterable[RecordingFacts], placed: SubjectSplits, policy: SplitPolicy
) -> dict[Key, SplitName]:
    """Return the split of each recording, without those that are not in a published split."""
    return {
        (fact["corpus"], fact["recording"]): placed[fact["corpus"], fact["subject"]]
        for fact in facts
        if (fact["corpus"], fact["subject"]) in placed and policy.is_of(fact["recording"])
    }


def for_build(config: BuildConfig, before: BuildFacts | None) -> tuple[int, Placements | None]:
    """Return the number of folds of a build, and the placements that it keeps.

    If the number of folds has changed, everyone is given a fold anew.
    """
    if config.pinned:
        return config.folds, config.pinned.placements
    if before is None:
        return config.folds, None
    kept = before["placements"]
    if config.folds in (0, before["folds"]):
        return before["folds"], kept
    return config.folds, {"splits": kept["splits"], "folds": {}}


def record(
    recordings: Sequence[BuiltRecording],
    before: Placements | None,
    n_folds: int,
    seed: int,
    by_shares: bool,
) -> Placements:
    """Return the placements of a dataset, with those of people who were in it before.

    Parameters
    ----------
    before
        Earlier placements, in as many folds.
    by_shares
        Whether people were placed by shares, and not as a published split lists them.
    """
    splits = {name: dict(by) for name, by in (before["splits"] if before else {}).items()}
    for fact in recordings if by_shares else ():
        splits.setdefault(fact["corpus"], {})[fact["kin"]] = fact["split"]
    folds = before["folds"] if before else {}
    return {
        "splits": _sorted(splits),
        "folds": place_folds(persons(recordings), n_folds, seed, folds) if n_folds else {},
    }


def place_folds(
    everyone: Iterable[Person],
    n_folds: int,
    seed: int,
    before: Mapping[str, Mapping[str, int]],
) -> Folds:
    """Return the fold in which each person or family is held out, independent of its split.

    Every corpus is spread evenly over the folds, and so are all corpora together.

    Parameters
    ----------
    before
        Folds placed earlier, kept also for people who are no longer in the dataset.

    Raises
    ------
    BuildError
        If there are more folds than people or families, or those placed apart earlier turn out to be
        relatives.
    """
    families = people.families(everyone)
    if any(kin not in before.get(c, {}) for c, members in families.items() for kin in members):
        refuse_empty(n_folds, sum(map(len, families.values())))
    earlier = {(corpus, name): fold for corpus, by in before.items() for name, fold in by.items()}
    placed = {corpus: dict(by) for corpus, by in before.items()}
    totals = [0] * n_folds
    for corpus, members in families.items():
        found = shares.place(
            {kin: len(subjects) for kin, subjects in members.items()},
            [1.0] * n_folds,
            f"fold/{seed}/{corpus}",
            people.kept(corpus, members, earlier, "fold"),
            sorted(range(n_folds), key=totals.__getitem__),
        )
        for kin, fold in found.items():
            totals[fold] += len(members[kin])
        placed.setdefault(corpus, {}).update(found)
    return _sorted(placed)


def refuse_empty(n_folds: int, n_groups: int) -> None:
    """Refuse more folds than there are people, or families, to hold out.

    Raises
    ------
    BuildError
        If a fold would be empty.
    """
    if n_folds > n_groups:
        raise BuildError(
            f"--folds {n_folds}: there are {n_groups} people, relatives counted as one, so folds would be "
            f"empty; use at most {n_groups}"
        )


def folds_text(values: BuildFacts) -> str:
    """Return a CSV text with one line per subject and the fold in which it is held out."""
    folds = values["placements"]["folds"]
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("corpus", "subject", "fold"))
    writer.writerows(
        (corpus, subject, folds[corpus][kin])
        for corpus, subject, kin in sorted(set(persons(values["recordings"])))
    )
    return lines.getvalue()


def parted(recordings: Iterable[BuiltRecording]) -> dict[str, Parted]:
    """Return the relatives in different splits, by corpus: only a named published split parts them."""
    splits: dict[tuple[str, str], set[SplitName]] = {}
    members: dict[tuple[str, str], set[str]] = {}
    for fact in recordings:
        family = fact["corpus"], fact["kin"]
        splits.setdefault(family, set()).add(fact["split"])
        members.setdefault(family, set()).add(fact["subject"])
    found: dict[str, Parted] = {}
    for (corpus, kin), where in sorted(splits.items()):
        if len(where) > 1:
            counts = found.setdefault(corpus, {"families": 0, "subjects": 0})
            counts["families"] += 1
            counts["subjects"] += len(members[corpus, kin])
    return found


def _sorted(placed: Mapping[str, Mapping[str, people.Place]]) -> dict[str, dict[str, people.Place]]:
    return {corpus: dict(sorted(by.items())) for corpus, by in sorted(placed.items())}
