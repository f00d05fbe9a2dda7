"""Night decoding: the probabilities of a night's pages, smoothed by how stages follow each other.

The probability of a sequence of stages is proportional to the product of the pages' probabilities and, for
each pair of successive pages, of how much likelier the second stage is after the first than it usually is,
to the power of a weight. The probabilities of a page are posteriors and have the frequency of the stages
in them already; by the ratio to what is usual it is not counted a second time. With weight 0 pages are
staged one by one; with 1 the sequence is that of a hidden Markov model whose emissions are posteriors
divided by priors. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from psgimg.finetune.decoding.transitions import Chain

Floats = npt.NDArray[np.float64]


def smoothed(
    probabilities: Floats,
    epochs: npt.NDArray[np.integer],
    chain: Chain,
    weights: Sequence[float],
) -> Floats:
    """Return the probabilities of each epoch given all pages of its recording (forward-backward).

    Parameters
    ----------
    probabilities : (n, 5)
        Of the pages, each with a sum of 1.
    epochs : (n,)
        Numbers of the epochs, ascending. Where some are missing, the chain goes on for as many epochs
        without a page.
    weights
        Weights of the chain, each of which gives a result.

    Returns
    -------
    (n_weights, n, 5), each row with a sum of 1.
    """
    forward = np.empty((len(weights), *probabilities.shape))
    backward = np.ones_like(forward)
    ties = _ties(epochs, chain, weights)
    for row, page in enumerate(probabilities):
        known = page if row == 0 else page * _sums(forward[:, row - 1], ties[row])
        forward[:, row] = known / known.sum(axis=-1, keepdims=True)
    for row in range(len(probabilities) - 1, 0, -1):
        later = probabilities[row] * backward[:, row]
        known = _sums(later, ties[row].swapaxes(1, 2))
        backward[:, row - 1] = known / known.sum(axis=-1, keepdims=True)
    both = forward * backward
    return np.asarray(both / both.sum(axis=-1, keepdims=True))


def likeliest(
    probabilities: Floats, epochs: npt.NDArray[np.integer], chain: Chain, weight: float
) -> npt.NDArray[np.int64]:
    """Return (n,) the likeliest sequence of stages (Viterbi); parameters as of :func:`smoothed`."""
    with np.errstate(divide="ignore"):
        pages = np.log(probabilities)
    ties = _ties(epochs, chain, [weight])
    before = np.zeros(probabilities.shape, np.int64)
    best = pages[0] if len(pages) else np.zeros(0)
    for row in range(1, len(pages)):
        paths = best[:, None] + np.log(ties[row][0])
        before[row] = paths.argmax(axis=0)
        best = paths.max(axis=0) + pages[row]
    stages = np.zeros(len(pages), np.int64)
    if len(pages):
        stages[-1] = best.argmax()
    for row in range(len(pages) - 1, 0, -1):
        stages[row - 1] = before[row, stages[row]]
    return stages


def _ties(epochs: npt.NDArray[np.integer], chain: Chain, weights: Sequence[float]) -> list[Floats]:
    """Return of each epoch (n_weights, 5, 5) how the one before it speaks for its stages."""
    powers = np.asarray(weights, np.float64)[:, None, None]
    steps = np.diff(epochs, prepend=epochs[:1]).tolist()
    of = {step: chain.ties(step) ** powers for step in set(steps[1:])}
    return [np.ones_like(powers), *(of[step] for step in steps[1:])]


def _sums(values: Floats, ties: Floats) -> Floats:
    """Return (n_weights, 5) sums over the stage before, of values (n_weights, 5) times ties."""
    return np.asarray((values[:, :, None] * ties).sum(axis=1))
