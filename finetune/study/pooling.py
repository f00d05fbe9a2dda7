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
from psgimg.finetune.evaluation.intervals import Difference, Interval
from psgimg.finetune.metrics import bootstrap, metric_table, metrics, predictions
from psgimg.finetune.metrics.bootstrap import Draws

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

    @cached_property
    def drawn(self) -> dict[str, Draws]:
        """Metric → (rounds,) bootstrap values over subjects; (0,) with fewer than two subjects.

        Cells with the same subjects use the same resamples, so that means and differences can be
        computed round by round; cells with other subjects are resampled independently.
        """
        seed = int(hashlib.sha256(repr(self.subjects).encode()).hexdigest()[:16], 16)
        figures = bootstrap.figures(self.tables[:, None], bootstrap.ROUNDS, seed)
        return {name: values[:, 0] for name, values in figures.items()}


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
    tables = [
        metrics.confusion(cell.labels[of == i], cell.predictions[of == i])
        for i in range(len(subjects))
    ]
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
    """Return the mean of every metric over cells, with its interval over subjects."""
    return {
        name: Interval(_mean(cells, name), *bootstrap.percentile_interval(_drawn(cells, name)))
        for name in cells[0].figures
    }


def differences(pairs: Sequence[tuple[Answers, Answers]]) -> dict[str, Difference]:
    """Return the mean difference over pairs, second − first, of every metric, with intervals."""
    firsts, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    result = {}
    for name in firsts[0].figures:
        first, second = _mean(firsts, name), _mean(seconds, name)
        ends = bootstrap.percentile_interval(_drawn(seconds, name) - _drawn(firsts, name))
        result[name] = Difference(first, second, second - first, *ends)
    return result


def _mean(cells: Sequence[Answers], name: str) -> float:
    return float(np.mean([cell.figures[name] for cell in cells]))


def _drawn(cells: Sequence[Answers], name: str) -> Draws:
    """Return the mean over cells in every round; (0,) if a cell has fewer than two subjects."""
    drawn = [cell.drawn[name] for cell in cells]
    return np.mean(drawn, axis=0) if all(one.size for one in drawn) else np.zeros(0)
