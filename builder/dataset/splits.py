"""Splits: assign subjects to train, validation and test by a hash.

The hash is of the subject (or family) only, so that adding a night moves no subject, and all nights of
a person stay together.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.bounded import MB, Bound

LISTED = Bound("a published split", 8 * MB, b",\n\r", 1_000_000, "values")
"""Ten times the subjects of all corpora together."""


@dataclass(frozen=True)
class SplitPolicy:
    """How subjects are assigned to splits.

    Parameters
    ----------
    shares
        Proportions of train, validation and test; they need not sum to 1.
    published
        A published split, (corpus or "", subject) to split, which replaces the hash.
    """

    shares: tuple[float, float, float] = (80.0, 10.0, 10.0)
    seed: int = 0
    published: Mapping[tuple[str, str], SplitName] = field(default_factory=dict)

    def split(self, corpus: str, subject: str, kin: str) -> SplitName | None:
        """Return the split of a subject; None if a published split does not name it.

        ``kin`` is the unit that stays together: the subject or the family.
        """
        if self.published:
            return self.published.get((corpus, subject), self.published.get(("", subject)))
        place = _place(f"{self.seed}/{corpus}/{kin}") * sum(self.shares)
        for name, share in zip(SPLITS, self.shares, strict=True):
            if place < share:
                return name
            place -= share
        return SPLITS[-1]


def fold(corpus: str, kin: str, n_folds: int, seed: int) -> int:
    """Return the fold of a subject or family, 0 to ``n_folds`` - 1, independent of its split."""
    return int(_place(f"fold/{seed}/{corpus}/{kin}") * n_folds)


def _place(key: str) -> float:
    """Return a pseudorandom number in [0, 1), determined by the key."""
    digest = hashlib.sha256(key.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


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
    """Read a published split: CSV with columns [corpus,] subject, split; or JSON {split: [subjects]}.

    Raises
    ------
    BuildError
        If the file can't be read, has an unknown split, or assigns a subject to two.
    """
    try:
        if path.suffix == ".json":
            pairs = _from_json(bounded.read_json(path, LISTED))
        else:
            pairs = _from_csv(bounded.read_text(path, LISTED, "utf-8-sig"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise BuildError(
            f"--split-file {path}: {type(error).__name__} {error}; expected a CSV with the columns "
            "subject, split (and corpus), or JSON {split: [subjects]}"
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


def _from_csv(text: str) -> list[tuple[tuple[str, str], str]]:
    return [
        ((row.get("corpus") or "", row["subject"].strip()), _split_name(row["split"]))
        for row in csv.DictReader(text.splitlines())
    ]


def _split_name(name: str) -> str:
    """Return the standard name of a split; published files also use ``val``, ``valid`` and ``dev``."""
    plain = name.strip().lower()
    return {"val": "validation", "valid": "validation", "dev": "validation"}.get(plain, plain)
