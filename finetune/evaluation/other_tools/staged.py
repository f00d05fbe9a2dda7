"""Staged: what another tool wrote of one recording, and how its files are read as text."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.bounded import MB, Bound
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER

EPOCH_S = 30.0
"""Length of the epochs of every tool here."""

MOST_EPOCHS = 20_160
"""Epochs of a week: a file with more stages has several in an epoch."""

FILE = Bound("predictions of another tool", 512 * MB, b"\n\r", 12_000_000, "lines")

Stages = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class Staged:
    """The stages of one recording, by epochs of 30 s from its start.

    Parameters
    ----------
    path
        The file.
    name
        Name of the recording: that of the file without its ending, or one in the file.
    stages : (n,) int64
        0 to 4; -1 where the tool states no stage.
    probabilities : (n, 5) float64 or None
        NaN where there are none.
    scored : (n,) int64 or None
        If given, the epochs are only those that have a stage by a scorer, and these are its stages, -1
        where the tool does not repeat them.
    """

    path: Path
    name: str
    stages: Stages
    probabilities: Probabilities | None = None
    scored: Stages | None = None

    def __post_init__(self) -> None:
        if not len(self.stages):
            raise BuildError(f"{self.path}: no stages of {self.name}; give a finished file")
        if len(self.stages) > MOST_EPOCHS:
            raise BuildError(
                f"{self.path}: {len(self.stages):,} stages of {self.name}, more than epochs in a week; "
                "write one stage for every 30 s"
            )


def codes(words: Sequence[str], known: Mapping[str, int], path: Path) -> Stages:
    """Return the numbers of some words, by the table of a tool; -1 for no stage.

    Raises
    ------
    BuildError
        If a word is not in the table.
    """
    for row, word in enumerate(words):
        if word not in known:
            raise BuildError(
                f"{path}: {word!r} in row {row + 1} is no stage of this tool; give a file as it "
                "writes them, or a table with --codes"
            )
    return np.array([known[word] for word in words], np.int64)


def normalised(values: npt.ArrayLike, path: Path) -> Probabilities:
    """Return (n, 5) probabilities that sum to 1, from sums or means of such; rows of NaN stay.

    Raises
    ------
    BuildError
        If a value is negative, or a row is neither whole nor empty.
    """
    odds = np.asarray(values, np.float64).reshape(-1, N_STAGES)
    total = odds.sum(axis=1, keepdims=True)
    empty = np.isnan(odds).all(axis=1)
    valid = np.all(odds >= 0, axis=1) & (total[:, 0] > 0) & np.isfinite(total[:, 0])
    wrong = ~empty & ~valid
    for row in np.flatnonzero(wrong)[:1]:
        raise BuildError(
            f"{path}: row {row + 1} has the probabilities {odds[row].tolist()}; give five for "
            f"{', '.join(STAGE_NAMES)}, or none"
        )
    return np.asarray(odds / np.where(total > 0, total, np.nan))


def likeliest(odds: Probabilities) -> Stages:
    """Return (n,) the most probable stages; -1 where there are no probabilities."""
    known: npt.NDArray[np.bool_] = np.all(np.isfinite(odds), axis=1)
    return np.where(known, np.nan_to_num(odds).argmax(axis=1), NO_ANSWER)


def read(path: Path, reader: Callable[[Path], Read]) -> Read:
    """Return what a reader makes of a file; what it can't read is refused in one line.

    Raises
    ------
    BuildError
        If the file can't be read.
    """
    try:
        return reader(path)
    except FileNotFoundError as error:
        raise BuildError(f"{path} does not exist; give a file of the tool's predictions") from error
    except (OSError, ValueError, TypeError, OverflowError, EOFError, csv.Error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BuildError(
            f"{path} can't be read ({reason}); give a file as the tool writes it"
        ) from error


def table(path: Path) -> list[list[str]]:
    """Return the rows of a text file that are not empty, split at tabs, commas or spaces."""
    lines = [
        line for line in bounded.read_text(path, FILE, "utf-8-sig").split("\n") if line.strip()
    ]
    if not lines:
        raise ValueError("the file is empty")
    if "\t" in lines[0] or "," in lines[0]:
        delimiter = "\t" if "\t" in lines[0] else ","
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    return [line.split() for line in lines]


def column(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    """Return a column of a table without its head.

    Raises
    ------
    ValueError
        If a row has too few cells.
    """
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            raise ValueError(f"{len(row)} cells in line {number}, but {len(rows[0])} in the first")
    return [row[place] for row in rows[1:]]
