"""Pooling: means over cells, and over pairs of cells, with intervals that draw the subjects of all at once.

Figures are averaged, not answers: F1 and kappa of the answers of several seeds together can lie
outside those of every single seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.intervals import Difference, Interval
from psgimg.finetune.metrics import bootstrap, metric_table, metrics, predictions
from psgimg.finetune.metrics.bootstrap import Draws

SUBJECT = ("corpus", "subject")
EPOCH = ("corpus", "recording", "epoch")


@dataclass(frozen=True, eq=False)
class Answers:
    """What a cell's model answered.

    Parameters
    ----------
    epochs
        Hash of the epochs that were asked and of their scored stages: cells with the same one can
        be compared in pairs.
    subjects
        (corpus, subject), sorted.
    tables
        (n_subjects, 5, 6), the confusion table of each.
    """

    epochs: str
    subjects: tuple[tuple[str, str], ...]
    tables: npt.NDArray[np.int64]

    @cached_property
    def figures(self) -> dict[str, float]:
        """Figures of all its epochs."""
        return metric_table.summary(self.tables.sum(0))

    @cached_property
    def drawn(self) -> dict[str, Draws]:
        """Every figure, (rounds,), with the subjects drawn anew; none with fewer than two.

        Cells with the same subjects are drawn alike, so that their means and differences can be
        taken round by round; cells with others, independently.
        """
        seed = int(hashlib.sha256(repr(self.subjects).encode()).hexdigest()[:16], 16)
        found = bootstrap.figures(self.tables[:, None], bootstrap.ROUNDS, seed)
        return {name: values[:, 0] for name, values in found.items()}


def read(path: Path) -> Answers:
    """The answers in a file of predictions.

    Raises
    ------
    BuildError
        If it can't be read.
    """
    found = predictions.read(path)
    columns = found.table.to_pydict()
    epochs = sorted(zip(*(columns[name] for name in (*EPOCH, "label")), strict=True))
    names = list(zip(*(columns[name] for name in SUBJECT), strict=True))
    subjects = tuple(sorted(set(names)))
    number = {subject: i for i, subject in enumerate(subjects)}
    of = np.array([number[name] for name in names])
    tables = [
        metrics.confusion(found.labels[of == i], found.predictions[of == i])
        for i in range(len(subjects))
    ]
    digest = hashlib.sha256(repr(epochs).encode()).hexdigest()
    return Answers(digest, subjects, np.stack(tables))


def means(cells: Sequence[Answers]) -> dict[str, Interval]:
    """Mean of every figure over cells, with its interval over subjects."""
    return {
        name: Interval(_mean(cells, name), *bootstrap.percentile_interval(_drawn(cells, name)))
        for name in cells[0].figures
    }


def differences(pairs: Sequence[tuple[Answers, Answers]]) -> dict[str, Difference]:
    """How far the second of each pair is from the first, the mean over pairs, with its interval."""
    firsts, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = {}
    for name in firsts[0].figures:
        first, second = _mean(firsts, name), _mean(seconds, name)
        ends = bootstrap.percentile_interval(_drawn(seconds, name) - _drawn(firsts, name))
        found[name] = Difference(first, second, second - first, *ends)
    return found


def _mean(cells: Sequence[Answers], name: str) -> float:
    return float(np.mean([cell.figures[name] for cell in cells]))


def _drawn(cells: Sequence[Answers], name: str) -> Draws:
    """The mean over cells in every round; none if a cell has fewer than two subjects."""
    drawn = [cell.drawn[name] for cell in cells]
    return np.mean(drawn, axis=0) if all(one.size for one in drawn) else np.zeros(0)
