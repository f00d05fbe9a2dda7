"""Transitions: how often each stage follows each other one, counted in the hypnograms of a training.

A stage that follows after 20 s is another matter than one after 30 s: each length of an epoch has counts
of its own, and none is derived from another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Len
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.page_set import PageSet
from typing_extensions import TypedDict

N_STAGES = len(STAGE_NAMES)

PRIOR = 0.5
"""Added to each count, so that what no hypnogram shows is unlikely but not excluded."""

Counts = tuple[tuple[int, ...], ...]
Matrix = npt.NDArray[np.float64]

Row = Annotated[list[Annotated[int, Ge(0)]], Len(N_STAGES, N_STAGES)]


class TransitionsJson(TypedDict):
    """Counts for one length of epochs: from the stage of a row to that of a column."""

    epoch_s: Annotated[float, Gt(0)]
    counts: Annotated[list[Row], Len(N_STAGES, N_STAGES)]


@dataclass(frozen=True)
class Transitions:
    """How often each stage follows each other one.

    Parameters
    ----------
    counts
        Length of the epochs in seconds → (5, 5) pairs of successive scored epochs of a recording, by
        stage of the first (rows) and of the second (columns).
    """

    counts: Mapping[float, Counts] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts)

    def chain(self, epoch_s: float) -> Chain:
        """Return the model of a night with epochs of some length.

        Raises
        ------
        BuildError
            If no hypnogram with such epochs was counted.
        """
        if epoch_s not in self.counts:
            known = " or ".join(f"{length_s:g}" for length_s in self.counts) or "no"
            raise BuildError(
                f"epochs of {epoch_s:g} s can't be decoded as a night: transitions were counted for epochs "
                f"of {known} s; take those of a train split with such epochs, or decode no nights"
            )
        return Chain.of(self.counts[epoch_s])

    def to_json(self) -> list[TransitionsJson]:
        """Return the counts as JSON values."""
        return [{"epoch_s": s, "counts": [*map(list, n)]} for s, n in self.counts.items()]

    @classmethod
    def from_json(cls, values: Iterable[TransitionsJson]) -> Transitions:
        """Return the counts that ``to_json`` gave."""
        return cls({one["epoch_s"]: tuple(map(tuple, one["counts"])) for one in values})


@dataclass(frozen=True, eq=False)
class Chain:
    """A Markov chain of stages.

    Parameters
    ----------
    matrix : (5, 5)
        Probability of the stage of a column in the epoch after one with the stage of the row.
    usual : (5,)
        Probability of each stage where nothing is known: the stationary distribution.
    """

    matrix: Matrix
    usual: Matrix

    @classmethod
    def of(cls, counts: Counts) -> Chain:
        """Return the chain of counted transitions (5, 5), smoothed by ``PRIOR``."""
        smoothed = np.array(counts) + PRIOR
        matrix = smoothed / smoothed.sum(axis=1, keepdims=True)
        balance = np.vstack([matrix.T - np.eye(N_STAGES), np.ones(N_STAGES)])
        usual = np.linalg.lstsq(balance, np.eye(N_STAGES + 1)[-1])[0]
        return cls(matrix, usual)

    def ties(self, steps: int) -> Matrix:
        """Return how much likelier each stage is, some epochs after each other one, than usual.

        Parameters
        ----------
        steps
            Number of epochs from one to the other: 1 for neighbours, more across a gap. The longer the
            gap, the closer all are to 1: its far side is a night of its own.

        Returns
        -------
        (5, 5) ratios, from the stage of a row to that of a column.
        """
        return np.asarray(np.linalg.matrix_power(self.matrix, steps) / self.usual)


def of(pages: PageSet) -> Transitions:
    """Count the transitions in the hypnograms of the recordings of which some pages are selected.

    All their pages count, whichever of them a model is shown.

    Returns
    -------
    Pairs of scored epochs of which the second starts where the first ends: nothing is counted across
    a gap, an unscored epoch or two recordings.
    """
    index, by_recording = pages.index, pages.source.epochs_s
    lengths_s = np.array([by_recording[key.corpus, key.recording] for key in index.recordings])
    chosen = np.zeros(len(index.recordings), np.bool_)
    chosen[index.recording[pages.rows]] = True
    second = np.flatnonzero(index.joined & chosen[index.recording])
    found = {}
    for length_s in np.unique(lengths_s[chosen]).tolist():
        after = second[lengths_s[index.recording[second]] == length_s]
        table = np.zeros((N_STAGES, N_STAGES), np.int64)
        np.add.at(table, (index.label[after - 1], index.label[after]), 1)
        found[length_s] = tuple(map(tuple, table.tolist()))
    return Transitions(found)
