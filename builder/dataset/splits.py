"""Splits: who is in train, validation and test, by shares or as published.

By shares, people are placed as ``placing.shares`` describes, each corpus alone: what is placed in one
does not depend on the others. All nights of a person stay together, and relatives do.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.bounded import MB, Bound
from psgimg.builder.placing import people, shares
from psgimg.builder.placing.named import NAMED, NamedSplit
from psgimg.builder.placing.people import Person

LISTED = Bound("a published split", 8 * MB, b",\n\r", 1_000_000, "values")
"""Ten times the subjects of all corpora together."""

FIRST = (SPLITS.index("train"), SPLITS.index("test"), SPLITS.index("validation"))
"""The order in which few people are handed out: a model needs someone to learn from, and its figures
someone to be tested on.
"""

SubjectSplits = dict[tuple[str, str], SplitName]
"""(corpus, subject) → split."""


@dataclass(frozen=True)
class SplitPolicy:
    """How subjects are assigned to splits.

    Parameters
    ----------
    shares
        Proportions of train, validation and test; they need not sum to 1.
    published
        The split of the user's file, (corpus or "", subject) to split, which replaces the shares.
    named
        A published split that psgimg brings, which replaces the shares too.
    before
        (corpus, subject or family) to split of those placed earlier in the same dataset: they stay.
    """

    shares: tuple[float, float, float] = (80.0, 10.0, 10.0)
    seed: int = 0
    published: Mapping[tuple[str, str], SplitName] = field(default_factory=dict)
    named: NamedSplit | None = None
    before: Mapping[tuple[str, str], SplitName] = field(default_factory=dict)

    @property
    def is_listed(self) -> bool:
        """Whether a file assigns the subjects, so that those not in it have no split."""
        return bool(self.published or self.named)

    def keeping(self, before: Mapping[tuple[str, str], SplitName]) -> SplitPolicy:
        """Return the same policy for a dataset in which some were placed earlier."""
        return replace(self, before={**self.before, **before})

    def is_of(self, recording: str) -> bool:
        """Whether a recording of a subject with a split is in it: some splits are of one visit."""
        return self.named is None or self.named.is_of(recording)

    def place(self, everyone: Iterable[Person]) -> SubjectSplits:
        """Return the split of everyone, without those whom a published split does not name.

        Raises
        ------
        BuildError
            If a user's file parts relatives, or those placed earlier turn out to be relatives.
        """
        placed: SubjectSplits = {}
        for corpus, families in people.families(everyone).items():
            if self.is_listed:
                placed |= self._listed(corpus, families)
            else:
                placed |= self._shared(corpus, families)
        return placed

    def _listed(self, corpus: str, families: Mapping[str, Iterable[str]]) -> SubjectSplits:
        placed: SubjectSplits = {}
        for kin, members in families.items():
            own = {name: split for name in members if (split := self.assigned(corpus, name))}
            if self.named is None:
                _refuse_parted(corpus, kin, own)
            placed |= {(corpus, name): split for name, split in own.items()}
        return placed

    def assigned(self, corpus: str, subject: str) -> SplitName | None:
        """Return the split that a published split assigns a subject to; None if it does not."""
        key = corpus, subject
        if key in self.before:
            return self.before[key]
        if self.named is None:
            return self.published.get(key, self.published.get(("", subject)))
        listed = self.named.table.get(key)
        return next((split for split in SPLITS if split == listed), None)

    def _shared(self, corpus: str, families: Mapping[str, list[str]]) -> SubjectSplits:
        before = people.kept(corpus, families, self.before, "split")
        found = shares.place(
            {kin: len(members) for kin, members in families.items()},
            self.shares,
            f"{self.seed}/{corpus}",
            {kin: SPLITS.index(split) for kin, split in before.items()},
            FIRST,
        )
        return {
            (corpus, name): SPLITS[found[kin]]
            for kin, members in families.items()
            for name in members
        }


def _refuse_parted(corpus: str, kin: str, own: Mapping[str, SplitName]) -> None:
    """Refuse relatives in different splits: a model would be tested on the family it learned from."""
    first = next(iter(own), None)
    for name, split in own.items():
        if first is not None and split != own[first]:
            raise BuildError(
                f"--split-file parts relatives: of {kin} of {corpus}, {first} is in {own[first]} and {name} "
                f"in {split}; put the family in one split (of the published splits, "
                f"{' and '.join(NAMED)} are used as they are, if given by name)"
            )


def parse_shares(text: str) -> tuple[float, float, float]:
    """Parse the proportions of train, validation and test, such as ``80/10/10``."""
    try:
        train, validation, test = (float(part) for part in text.split("/"))
    except ValueError:
        raise BuildError(f"--splits {text!r}: use three numbers, such as 80/10/10") from None
    if min(train, validation, test) < 0 or not 0 < train + validation + test < math.inf:
        raise BuildError(
            f"--splits {text!r}: proportions must be numbers, not negative or all 0; use, for example, "
            "80/10/10"
        )
    return train, validation, test


def read_published(path: Path) -> dict[tuple[str, str], SplitName]:
    """Read a split: CSV with columns [corpus,] subject, split; JSON {split: [subjects]}; or a dataset.

    Of the folder of a dataset, its ``build.json`` is read, so that another one has the same split.

    Raises
    ------
    BuildError
        If the file can't be read, has an unknown split, or assigns a subject to two.
    """
    try:
        if path.is_dir():
            pairs = _from_dataset(bounded.read_json(path / "build.json", bounded.REPORT))
        elif path.suffix == ".json":
            pairs = _from_json(bounded.read_json(path, LISTED))
        else:
            pairs = _from_csv(bounded.read_text(path, LISTED, "utf-8-sig"))
    except OSError as error:
        raise BuildError(
            f"--split-file {path}: {error.strerror or error}; give a file, the folder of a dataset, or one of "
            f"{', '.join(NAMED)}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise BuildError(
            f"--split-file {path}: {type(error).__name__} {error}; expected a CSV with the columns "
            "subject, split (and corpus), JSON {split: [subjects]}, the folder of a dataset, or one of "
            f"{', '.join(NAMED)}"
        ) from error
    splits = published(pairs, f"--split-file {path}")
    if not splits:
        raise BuildError(f"--split-file {path} names no subject; add rows with subject and split")
    return splits


def published(
    pairs: Iterable[tuple[tuple[str, str], str]], where: str
) -> dict[tuple[str, str], SplitName]:
    """Return a published split, given each (corpus or "", subject) with its split.

    Parameters
    ----------
    where
        Start of every message.

    Raises
    ------
    BuildError
        If a split is unknown, or a subject is in two.
    """
    splits: dict[tuple[str, str], SplitName] = {}
    for key, split in pairs:
        if split not in SPLITS:
            raise BuildError(f"{where}: unknown split {split!r}; use {', '.join(SPLITS)}")
        if splits.setdefault(key, split) != split:
            raise BuildError(
                f"{where}: subject {key[1]} is in {splits[key]} and in {split}; remove one of them"
            )
    return splits


def _from_json(values: Any) -> list[tuple[tuple[str, str], str]]:
    return [
        (("", str(subject)), _split_name(split))
        for split, subjects in values.items()
        for subject in subjects
    ]


def _from_dataset(values: Any) -> list[tuple[tuple[str, str], str]]:
    return [
        ((fact["corpus"], fact["subject"]), str(fact["split"])) for fact in values["recordings"]
    ]


def _from_csv(text: str) -> list[tuple[tuple[str, str], str]]:
    return [
        ((row.get("corpus") or "", row["subject"].strip()), _split_name(row["split"]))
        for row in csv.DictReader(text.splitlines())
    ]


def _split_name(name: str) -> str:
    """Return the standard name of a split; published files also use ``val``, ``valid`` and ``dev``."""
    plain = name.strip().lower()
    return {"val": "validation", "valid": "validation", "dev": "validation"}.get(plain, plain)
