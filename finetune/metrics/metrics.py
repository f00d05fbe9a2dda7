"""Metrics: agreement of predicted with scored stages, computed from a confusion table. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

N_STAGES = len(STAGE_NAMES)
NO_ANSWER = -1
"""Code of a prediction without a valid stage. Always counted as wrong, never excluded."""

Table = npt.NDArray[np.int64]


def confusion(
    labels: Sequence[int] | npt.NDArray[np.integer],
    predictions: Sequence[int] | npt.NDArray[np.integer],
) -> Table:
    """Count epochs by scored stage (rows) and predicted stage (columns).

    Parameters
    ----------
    labels, predictions
        (n,) 0 to 4 in the order of ``STAGE_NAMES``; a prediction may be ``NO_ANSWER``.

    Returns
    -------
    (5, 6) counts; the last column is that of epochs without a valid answer.

    Raises
    ------
    BuildError
        If the lengths differ or a value is not a stage.
    """
    scored, predicted = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    if scored.shape != predicted.shape or scored.ndim != 1:
        raise BuildError(
            f"{scored.shape} labels and {predicted.shape} predictions; give one prediction per label"
        )
    for name, values, lowest in (("label", scored, 0), ("prediction", predicted, NO_ANSWER)):
        wrong = values[(values < lowest) | (values >= N_STAGES)]
        if wrong.size:
            raise BuildError(f"{name} {wrong[0]} is not a stage; give 0 to {N_STAGES - 1}")
    columns = np.where(predicted == NO_ANSWER, N_STAGES, predicted)
    table = np.zeros((N_STAGES, N_STAGES + 1), np.int64)
    np.add.at(table, (scored, columns), 1)
    return table


def accuracy(table: Table) -> float:
    """Return the proportion of epochs predicted correctly; NaN for an empty table."""
    return _ratio(np.trace(table), table.sum())


def balanced_accuracy(table: Table) -> float:
    """Return the mean recall over the stages that were scored; NaN for an empty table."""
    scored = table.sum(1)
    recall = np.diag(table)[scored > 0] / scored[scored > 0]
    return float(recall.mean()) if recall.size else float("nan")


def f1_per_stage(table: Table) -> npt.NDArray[np.float64]:
    """Return (5,) the F1 of each stage; NaN for a stage neither scored nor predicted."""
    numerator = 2.0 * np.diag(table)
    denominator = table.sum(1) + table.sum(0)[:N_STAGES]
    f1 = np.full(N_STAGES, np.nan)
    np.divide(numerator, denominator, out=f1, where=denominator > 0)
    return f1


def macro_f1(table: Table) -> float:
    """Return the mean F1 over the stages that were scored or predicted."""
    f1 = f1_per_stage(table)
    present = f1[~np.isnan(f1)]
    return float(present.mean()) if present.size else float("nan")


def kappa(table: Table) -> float:
    """Return Cohen's kappa; "no answer" is a sixth class that is never scored. NaN if undefined."""
    n = table.sum()
    chance = float(_ratio(table.sum(1) @ table.sum(0)[:N_STAGES], n * n))
    return _ratio(accuracy(table) - chance, 1.0 - chance)


def mcc(table: Table) -> float:
    """Return the multiclass Matthews correlation coefficient; 0 if undefined, by convention."""
    n = float(table.sum())
    scored, predicted = table.sum(1).astype(float), table.sum(0).astype(float)
    covariance = np.trace(table) * n - scored @ predicted[:N_STAGES]
    spread = (n * n - predicted @ predicted) * (n * n - scored @ scored)
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
