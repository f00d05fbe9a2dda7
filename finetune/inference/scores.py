"""Scores: the probabilities of the five answers on some pages, from those of their tokens. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Probabilities of the five answers on n pages.

    Parameters
    ----------
    log_probs
        (n, 5) natural logarithms in the order of the stages, normalised to a sum of 1 per page.
        They are not corrected for the lengths of the answers: each answer is one event.
    log_mass
        (n,) natural logarithm of the total probability of the five answers before normalisation;
        far below 0 if the model prefers other answers.
    """

    log_probs: Floats
    log_mass: Floats


def normalised(sums: Floats) -> Scores:
    """Normalise the probabilities of the five answers to a sum of 1.

    Parameters
    ----------
    sums : (n, 5)
        Log-probabilities of the answers.

    Raises
    ------
    BuildError
        If one is not a number.
    """
    if not np.isfinite(sums).all():
        raise BuildError(
            "the model's answer is not a number; try --dtype float32, or other weights if it persists"
        )
    log_mass = np.logaddexp.reduce(sums, axis=1)
    return Scores(sums - log_mass[:, None], log_mass)
