"""Calibration: whether stages predicted with a probability of 80 % are correct 80 % of the time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

N_BINS = 10
BLOCK = 100_000
"""Epochs that are measured at a time; copies of millions would fill the memory."""

LEAST = float(np.finfo(np.float64).eps)
"""Lower bound of probabilities in the NLL, so that a single epoch can't make it infinite."""


def calibration(
    labels: npt.NDArray[np.integer], probabilities: npt.NDArray[np.float64] | None
) -> dict[str, Any] | None:
    """Return calibration measures over the epochs that have probabilities.

    Parameters
    ----------
    labels
        (n,) 0 to 4.
    probabilities
        (n, 5), rows of NaN for epochs without probabilities.

    Returns
    -------
    ``epochs``, their number; ``ece``, the mean absolute difference of confidence and accuracy over
    ten bins of equal width (Guo et al. 2017); ``nll``, the mean of -ln p of the scored stage;
    ``brier``, the mean squared error summed over the stages (0 to 2, Brier 1950); and ``bins``. None
    without probabilities. Confidence is the largest probability; accuracy refers to its stage.
    """
    if probabilities is None:
        return None
    complete: Mask = np.asarray(np.isfinite(probabilities).all(axis=1))
    if not complete.any():
        return None
    n = int(complete.sum())
    confidence, scored, squares = np.empty((3, n))
    right, end = np.empty(n, np.bool_), 0
    for start in range(0, len(labels), BLOCK):
        rows = slice(start, start + BLOCK)
        stages, odds = labels[rows][complete[rows]], probabilities[rows][complete[rows]]
        own = slice(end, end := end + len(stages))
        confidence[own], right[own] = odds.max(axis=1), odds.argmax(axis=1) == stages
        scored[own] = odds[np.arange(len(stages)), stages]
        odds[np.arange(len(stages)), stages] -= 1
        squares[own] = (odds**2).sum(axis=1)
    bins = _bins(confidence, right)
    gaps = [b["epochs"] * abs(b["accuracy"] - b["confidence"]) for b in bins if b["epochs"]]
    return {
        "epochs": n,
        "ece": float(sum(gaps) / n),
        "nll": float(-np.log(np.maximum(scored, LEAST)).mean()),
        "brier": float(squares.mean()),
        "bins": bins,
    }


def _bins(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> list[dict[str, float]]:
    """Bin epochs by confidence; a bin includes its upper edge, the first also its lower one."""
    edges = np.linspace(0, 1, N_BINS + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    counts = np.bincount(place, minlength=N_BINS)
    sums = [np.bincount(place, values, N_BINS) for values in (confidence, right)]
    means = [
        np.divide(s, counts, out=np.full(N_BINS, np.nan), where=counts > 0, dtype=np.float64)
        for s in sums
    ]
    return [
        {
            "low": i / N_BINS,
            "high": (i + 1) / N_BINS,
            "epochs": int(counts[i]),
            "confidence": float(means[0][i]),
            "accuracy": float(means[1][i]),
        }
        for i in range(N_BINS)
    ]
