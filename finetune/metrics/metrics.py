"""Metrics: agreement of predicted with scored stages, from confusion tables. NumPy only.

Every function takes one table (5, 6), or any number of them (..., 5, 6) and returns (...) values.
"""

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
Values = npt.NDArray[np.float64]


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


def accuracy(table: Table) -> Values:
    """Return the proportion of epochs predicted correctly; NaN for an empty table."""
    return _ratio(_right(table).sum(-1), table.sum((-2, -1)))


def balanced_accuracy(table: Table) -> Values:
    """Return the mean recall over the stages that were scored; NaN for an empty table."""
    return _mean_of_defined(_ratio(_right(table), table.sum(-1)))


def f1_per_stage(table: Table) -> Values:
    """Return (..., 5) the F1 of each stage; NaN for a stage neither scored nor predicted."""
    return _ratio(2 * _right(table), table.sum(-1) + table.sum(-2)[..., :N_STAGES])


def macro_f1(table: Table) -> Values:
    """Return the mean F1 over the stages that were scored or predicted; NaN for an empty table."""
    return _mean_of_defined(f1_per_stage(table))


def kappa(table: Table) -> Values:
    """Return Cohen's kappa; "no answer" is a sixth class that is never scored. NaN if undefined."""
    n = table.sum((-2, -1))
    both = (table.sum(-1) * table.sum(-2)[..., :N_STAGES]).sum(-1)
    chance = _ratio(both, n * n)
    return _ratio(accuracy(table) - chance, 1.0 - chance)


def mcc(table: Table) -> Values:
    """Return the multiclass Matthews correlation coefficient; 0 if undefined, by convention."""
    n = table.sum((-2, -1)).astype(float)
    scored, predicted = table.sum(-1).astype(float), table.sum(-2).astype(float)
    both = (scored * predicted[..., :N_STAGES]).sum(-1)
    covariance = _right(table).sum(-1) * n - both
    spread = (n * n - (predicted**2).sum(-1)) * (n * n - (scored**2).sum(-1))
    return np.nan_to_num(np.asarray(_ratio(covariance, np.sqrt(np.maximum(spread, 0)))))


def _right(table: Table) -> Table:
    """Return (..., 5) the number of epochs of each stage that were predicted correctly."""
    return np.asarray(np.diagonal(table, axis1=-2, axis2=-1), np.int64)


def _ratio(part: npt.NDArray[np.number], whole: npt.NDArray[np.number]) -> Values:
    """Return part / whole, NaN where the whole is 0."""
    ratio = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=np.asarray(whole) != 0)
    return ratio


def _mean_of_defined(values: Values) -> Values:
    """Return (...) the mean over the last axis without NaN; NaN where all are NaN."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))
