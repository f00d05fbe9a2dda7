"""Pooling: metrics averaged over cells or pairs of cells, with intervals over their common subjects.

Metrics are averaged rather than predictions: F1 and kappa of the pooled predictions of several seeds
can be outside the range of the single seeds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.finetune.evaluation import intervals
from psgimg.finetune.evaluation.intervals import Difference
from psgimg.finetune.metrics import metric_table, metrics, predictions
from psgimg.finetune.metrics.jackknife import Interval

SUBJECT = ("corpus", "subject")
EPOCH = ("corpus", "recording", "epoch")


@dataclass(frozen=True, eq=False)
class Answers:
    """The predictions of a cell, as confusion tables by subject.

    Parameters
    ----------
    epochs
        Hash of the predicted epochs and their scored stages; cells with the same hash can be compared
        in pairs.
    subjects
        (corpus, subject), sorted.
    tables
        (n_subjects, 5, 6), the confusion table of each subject.
    """

    epochs: str
    subjects: tuple[tuple[str, str], ...]
    tables: npt.NDArray[np.int64]

    @cached_property
    def figures(self) -> dict[str, float]:
        """Metrics over all epochs."""
        return metric_table.summary(self.tables.sum(0))


def read(path: Path) -> Answers:
    """Read the answers in a predictions file.

    Raises
    ------
    BuildError
        If the file can't be read.
    """
    cell = predictions.read(path)
    columns = cell.table.to_pydict()
    epochs = sorted(zip(*(columns[name] for name in (*EPOCH, "label")), strict=True))
    names = list(zip(*(columns[name] for name in SUBJECT), strict=True))
    subjects = tuple(sorted(set(names)))
    number = {subject: i for i, subject in enumerate(subjects)}
    of = np.array([number[name] for name in names])
    order = np.argsort(of, kind="stable")
    ends = np.searchsorted(of[order], np.arange(len(subjects)), side="right")[:-1]
    stages = [np.split(codes[order], ends) for codes in (cell.labels, cell.predictions)]
    tables = [metrics.confusion(*own) for own in zip(*stages, strict=True)]
    digest = hashlib.sha256(repr(epochs).encode()).hexdigest()
    return Answers(digest, subjects, np.stack(tables))


def joined(cells: Sequence[Answers]) -> Answers:
    """Return the answers of the folds of a cross-validation as those of one cell.

    Raises
    ------
    BuildError
        If a subject is tested in two of them.
    """
    if len(cells) == 1:
        return cells[0]
    tables = {
        subject: table
        for one in cells
        for subject, table in zip(one.subjects, one.tables, strict=True)
    }
    if len(tables) < sum(len(one.subjects) for one in cells):
        raise BuildError(
            "the folds of a study have subjects in common; give each cell a fold of the same dataset"
        )
    subjects = tuple(sorted(tables))
    epochs = hashlib.sha256(repr(sorted(one.epochs for one in cells)).encode()).hexdigest()
    return Answers(epochs, subjects, np.stack([tables[subject] for subject in subjects]))


def means(cells: Sequence[Answers]) -> dict[str, Interval]:
    """Return the mean of every metric over cells, with its interval over the subjects of all cells."""
    return intervals.means(_aligned(cells))


def differences(pairs: Sequence[tuple[Answers, Answers]]) -> dict[str, Difference]:
    """Return the mean difference over pairs, second − first, of every metric, with intervals."""
    cells = _aligned([answers for pair in pairs for answers in pair])
    return intervals.mean_differences(cells[::2], cells[1::2])


def _aligned(cells: Sequence[Answers]) -> npt.NDArray[np.int64]:
    """Return (n_cells, n_subjects, 5, 6) tables of the subjects of all cells; 0 where one is not in."""
    place = {name: i for i, name in enumerate(sorted({s for cell in cells for s in cell.subjects}))}
    tables = np.zeros((len(cells), len(place), *cells[0].tables.shape[1:]), np.int64)
    for cell, own in zip(cells, tables, strict=True):
        own[[place[name] for name in cell.subjects]] = cell.tables
    return tables
