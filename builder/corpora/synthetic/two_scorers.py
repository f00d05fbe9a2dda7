"""Two scorers: the stages that two people assign to the epochs of a night, and where they differ.

A scorer judges how much of an epoch each stage fills, with some error and a bias of their own, and
takes the largest share. They differ where an epoch is ambiguous: at transitions, in N1, and where
slow waves fill about a fifth of it. No signal tells which of the two is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora.synthetic.sleep_course import Course
from psgimg.builder.corpora.synthetic.synthetic_files import EPOCH_S
from psgimg.builder.stages import Stage

ERROR, BIAS = 0.28, 0.08
"""Standard deviation of the error in a judged share, from epoch to epoch and from night to night."""
PERSISTENCE = 0.5
"""Correlation of the errors in successive epochs."""
CLEAR = 0.3
"""Share of slow waves beyond the scorer's threshold that leaves no doubt about N3."""
INERTIA = 0.14
"""Advantage of the stage of the epoch before."""


@dataclass(frozen=True)
class Scorer:
    """A person who scores.

    Parameters
    ----------
    slow_share
        Share of an epoch that slow waves must fill for N3; 0.2 in the AASM manual.
    n1
        Advantage that this scorer gives N1.
    """

    slow_share: float
    n1: float


SCORERS = {"1": Scorer(0.2, 0.0), "2": Scorer(0.3, 0.1)}


def score(course: Course, scorer: Scorer, rng: np.random.Generator) -> list[Stage]:
    """Return the stage of each epoch of 30 s by one scorer."""
    share = course.shares(EPOCH_S)
    nrem = share[Stage.N2] + share[Stage.N3]
    slow = share[Stage.N3] / np.maximum(nrem, 0.01)
    limit = scorer.slow_share
    judged = share.copy()
    judged[Stage.N3] = nrem * np.interp(slow, (0, limit, limit + CLEAR), (0, 0.5, 1))
    judged[Stage.N2] = nrem - judged[Stage.N3]
    judged[Stage.N1] += scorer.n1 * (judged[Stage.N1] > 0)
    # What hardly shows in an epoch is seen by nobody.
    judged += np.minimum(1.0, 4 * judged) * _errors(judged.shape, rng)
    stages: list[Stage] = []
    for column in judged.T:
        if stages:
            column[stages[-1]] += INERTIA
        stages.append(Stage(int(column.argmax())))
    return stages


def _errors(shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the errors of a scorer in a night, (5, n_epochs)."""
    errors = rng.normal(0, ERROR, shape)
    fresh = (1 - PERSISTENCE**2) ** 0.5
    for i in range(1, shape[1]):
        errors[:, i] = PERSISTENCE * errors[:, i - 1] + fresh * errors[:, i]
    return errors + rng.normal(0, BIAS, (shape[0], 1))
