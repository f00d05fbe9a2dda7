"""Review: how many errors a person finds who looks at the epochs that a model is least certain of.

Each recording is reviewed for itself, as a night is. Certainty is the probability of the most likely
stage; among epochs of equal certainty, errors are spread evenly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.metrics import jackknife

SHARES = (0.05, 0.10, 0.20)
"""Shares of the epochs of each recording that are reviewed."""


def review(data: Epochs) -> dict[str, Any] | None:
    """Return the yield of reviewing the least certain epochs, of those that have probabilities.

    Returns
    -------
    ``epochs`` and ``errors``, their numbers; ``shares``, for each of ``SHARES`` its ``reviewed``,
    ``found``, the share of all errors found, with its interval over subjects, and ``accuracy``, that
    after the errors found are corrected. Reviewing at random finds ``reviewed`` of the errors. None
    without probabilities or without errors.
    """
    if data.probabilities is None:
        return None
    known: npt.NDArray[np.bool_] = np.all(np.isfinite(data.probabilities), axis=1)
    wrong = (data.prediction != data.label) & known
    if not wrong.any():
        return None
    certainty = data.probabilities.max(axis=1)
    subjects = list(data.subjects().values())
    errors = np.array([wrong[rows].sum() for rows in subjects])
    found = np.zeros((len(subjects), len(SHARES)))
    starts = [rows.start for rows in subjects]
    for _, rows in data.parts():
        subject = int(np.searchsorted(starts, rows.start, side="right")) - 1
        own = known[rows]
        found[subject] += _found(certainty[rows][own], wrong[rows][own])
    n_epochs = int(known.sum())
    return {
        "epochs": n_epochs,
        "errors": int(errors.sum()),
        "shares": [
            {
                "reviewed": share,
                "found": jackknife.of_sums(
                    np.stack([found[:, i], errors], axis=1),
                    jackknife.share,
                    errors,
                    within=(0.0, 1.0),
                )._asdict(),
                "accuracy": float(1 - (errors.sum() - found[:, i].sum()) / n_epochs),
            }
            for i, share in enumerate(SHARES)
        ],
    }


def _found(
    certainty: npt.NDArray[np.float64], wrong: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the errors of a recording among its least certain epochs, for each of ``SHARES``."""
    _, place = np.unique(certainty, return_inverse=True)
    n_alike = np.bincount(place).astype(np.float64)
    errors_alike = np.bincount(place, wrong)
    before = np.cumsum(n_alike) - n_alike
    reviewed = len(certainty) * np.array(SHARES)[:, None]
    parts = np.clip(reviewed - before, 0, n_alike) / np.maximum(n_alike, 1)
    return np.asarray(parts @ errors_alike)
