"""Interscorer agreement: how well people agree, the line that a model's agreement is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.epochs import Epochs, confusions
from psgimg.finetune.evaluation.intervals import Tables, as_values, intervals
from psgimg.finetune.metrics.metrics import N_STAGES

FEWEST = 3
"""Fewest scorers of an epoch, so that two others are left of whom each may agree."""


def agreement(data: Epochs) -> dict[str, Any] | None:
    """Compare two scorers on the epochs that both scored, and the model on exactly these epochs.

    Returns
    -------
    ``epochs``, ``recordings``, ``subjects``; ``confusion`` (rows: reference scorer, columns: second
    scorer); ``figures`` of the second scorer and ``model_on_same`` of the model, both against the
    reference scorer, with intervals over subjects. None without a second scorer.
    """
    both = data.label_2 >= 0
    if not both.any():
        return None
    subjects = {key: rows for key, rows in data.subjects().items() if both[rows].any()}
    second = confusions(subjects, data.label, data.label_2, both)
    model = confusions(subjects, data.label, data.prediction, both)
    return {
        "epochs": int(both.sum()),
        "recordings": sum(bool(both[rows].any()) for _, rows in data.parts()),
        "subjects": len(subjects),
        "confusion": second.sum(0).tolist(),
        "figures": as_values(intervals(second)),
        "model_on_same": as_values(intervals(model)),
    }


class Others(NamedTuple):
    """Pairs of an epoch and a scorer who is left out, in which the others agree on a stage.

    Parameters
    ----------
    row, stage, consensus, weight : (n_pairs,)
        Row of the epoch, the scorer's stage, the stage that most of the others chose, and how many
        scorers chose the same as the scorer.
    tied
        Number of scorers left out of whose others no stage has most votes; they are not compared.
    """

    row: npt.NDArray[np.int64]
    stage: npt.NDArray[np.int64]
    consensus: npt.NDArray[np.int64]
    weight: npt.NDArray[np.int64]
    tied: int


def each_against_others(data: Epochs) -> dict[str, Any] | None:
    """Compare each scorer with the consensus of the others, and the model with the same consensuses.

    Who voted how is not known, and need not be: those who chose a stage are left out one at a time. An
    epoch counts once for each scorer.

    Returns
    -------
    ``epochs``, ``recordings``, ``subjects``, ``scorers`` (mean number of an epoch), ``comparisons`` and
    ``tied`` (a scorer left out, and no stage with most votes of the others; not compared);
    ``confusion`` (rows: consensus of the others, columns: scorer left out); ``figures`` of the scorers
    and ``model_on_same`` of the model, with intervals over subjects. None without epochs of at least
    ``FEWEST`` scorers.
    """
    if data.votes is None:
        return None
    pairs = _others(data.votes)
    if not len(pairs.row):
        return None
    has = np.bincount(pairs.row, minlength=len(data)) > 0
    slices = [rows for rows in data.subjects().values() if has[rows].any()]
    people = _tables(pairs, pairs.stage, slices)
    predicted = np.where(data.prediction < 0, N_STAGES, data.prediction)[pairs.row]
    model = _tables(pairs, predicted, slices)
    return {
        "epochs": int(has.sum()),
        "recordings": sum(bool(has[rows].any()) for _, rows in data.parts()),
        "subjects": len(slices),
        "scorers": float(data.votes[has].sum(axis=1).mean()),
        "comparisons": int(pairs.weight.sum()),
        "tied": pairs.tied,
        "confusion": people.sum(0).tolist(),
        "figures": as_values(intervals(people)),
        "model_on_same": as_values(intervals(model)),
    }


def _others(votes: npt.NDArray[np.int64]) -> Others:
    """Leave out the scorers of each stage of each epoch, one at a time."""
    row, stage = np.nonzero(votes * (votes.sum(axis=1, keepdims=True) >= FEWEST))
    weight = votes[row, stage]
    others = votes[row].copy()
    others[np.arange(len(row)), stage] -= 1
    most = others.max(axis=1, initial=0)
    single = (others == most[:, None]).sum(axis=1) == 1
    tied = int(weight[~single].sum())
    return Others(row[single], stage[single], others[single].argmax(axis=1), weight[single], tied)


def _tables(pairs: Others, columns: npt.NDArray[np.int64], slices: Sequence[slice]) -> Tables:
    """Return (n_subjects, 5, 6) tables of the consensus against some stages of the same pairs."""
    tables = np.zeros((len(slices), N_STAGES, N_STAGES + 1), np.int64)
    ends = np.array([rows.stop for rows in slices])
    subject = np.searchsorted(ends, pairs.row, side="right")
    np.add.at(tables, (subject, pairs.consensus, columns), pairs.weight)
    return tables
