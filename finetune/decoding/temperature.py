"""Temperature: one number by which all probabilities of a model are made less, or more, certain.

The logarithms of the probabilities are divided by it (Guo et al. 2017): above 1 the model claims less than
before, below 1 more. The most probable stage stays the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BOUNDS = (0.1, 10.0)
"""Beyond these, too few pages speak, or what the model says is worth nothing anyway."""

LEAST = float(np.finfo(np.float64).eps)
"""Lower bound of probabilities in the NLL, as in :mod:`psgimg.finetune.metrics.calibration`."""


def scaled(probabilities: Floats, temperature: float) -> Floats:
    """Return probabilities (n, 5) at a temperature; rows of NaN stay so."""
    if temperature == 1:
        return probabilities
    highest = probabilities.max(axis=-1, keepdims=True)
    powers = (probabilities / highest) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def fitted(probabilities: Floats, labels: npt.NDArray[np.int64]) -> float:
    """Return the temperature within ``BOUNDS`` with the least NLL, to four digits.

    Parameters
    ----------
    probabilities : (n, 5)
        Complete ones.
    labels : (n,)
        Scored stages, 0 to 4.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return nll(scaled(probabilities, float(np.exp(log_temperature))), labels)

    found = minimize_scalar(loss, bounds=tuple(np.log(BOUNDS)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def nll(probabilities: Floats, labels: npt.NDArray[np.int64]) -> float:
    """Return the mean of -ln p of the scored stages."""
    own = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, LEAST)).mean())
