"""Folds: who is tested, watched and learned from in one fold of a cross-validation.

The test people of fold K are those whom ``folds.csv`` gives K, the validation people those of the next
fold, and all others are for training. The splits of the dataset play no part.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.dataset.build_json import BuildJson
from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.bounded import MB, Bound

LISTED = Bound("a table of folds", 8 * MB, b",\n\r", 1_000_000, "values")
FEWEST = 3
"""With fewer folds nobody is left to learn from."""

Subject = tuple[str, str]
"""Corpus and subject."""


@dataclass(frozen=True)
class Fold:
    """One fold of a dataset.

    Parameters
    ----------
    number
        The fold that is held out for testing, from 0.
    of
        Number of folds.
    placed
        Subject → fold in which it is held out.
    """

    number: int
    of: int
    placed: Mapping[Subject, int]

    def part(self, corpus: str, subject: str) -> SplitName:
        """Return what a subject is for in this fold."""
        fold = self.placed[corpus, subject]
        if fold == self.number:
            return "test"
        return "validation" if fold == (self.number + 1) % self.of else "train"

    def parts(self, subjects: Iterable[Subject]) -> tuple[SplitName, ...]:
        """Return the parts to which some subjects belong, in the usual order."""
        found = {self.part(*subject) for subject in subjects}
        return tuple(split for split in SPLITS if split in found)

    def values(self) -> dict[str, int]:
        """Return the fold as JSON values."""
        return {"number": self.number, "of": self.of}


def read(path: Path, number: int, build: BuildJson, dataset: str) -> Fold:
    """Read ``folds.csv`` of a dataset.

    Parameters
    ----------
    build
        ``build.json`` of the dataset.
    dataset
        The dataset as the user names it, for messages.

    Raises
    ------
    BuildError
        If the file is damaged, lacks someone or parts relatives, or there is no such fold.
    """
    where, again = f"{path.name} of {dataset}", "build the dataset again with --folds"
    try:
        rows = list(csv.DictReader(bounded.read_text(path, LISTED).splitlines()))
        placed = {(row["corpus"], row["subject"]): int(row["fold"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BuildError(f"{where} is damaged ({type(error).__name__} {error}); {again}") from error
    if len(placed) < len(rows) or min(placed.values(), default=-1) < 0:
        raise BuildError(f"{where} has a subject twice or a negative fold; {again}")
    n_folds = max(placed.values()) + 1
    if not 0 <= number < n_folds:
        raise BuildError(
            f"--fold {number}: {dataset} has the folds 0 to {n_folds - 1}; choose one of them"
        )
    if n_folds < FEWEST:
        raise BuildError(
            f"--fold {number}: with the {n_folds} folds of {dataset} nobody is left for training beside "
            f"test and validation; build it with --folds {FEWEST} or more"
        )
    _check_families(placed, build, where, again)
    return Fold(number, n_folds, placed)


def _check_families(
    placed: Mapping[Subject, int], build: BuildJson, where: str, again: str
) -> None:
    """Refuse a table without someone in the dataset, or with relatives in different folds."""
    first: dict[Subject, tuple[str, int]] = {}
    for fact in build["recordings"]:
        corpus, subject = fact["corpus"], fact["subject"]
        if (corpus, subject) not in placed:
            raise BuildError(f"{where} lacks subject {subject} of {corpus}; {again}")
        fold = placed[corpus, subject]
        relative, other = first.setdefault((corpus, fact["kin"]), (subject, fold))
        if other != fold:
            raise BuildError(
                f"{where} parts {fact['kin']} of {corpus}: {relative} is in fold {other}, {subject} in "
                f"fold {fold}; {again}"
            )
