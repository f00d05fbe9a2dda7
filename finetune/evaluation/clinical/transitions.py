"""Transitions: errors next to a change of the scorer's stage and inside runs, and rates of change.

Neighbours are epochs of one recording with successive numbers: across a gap there is no change. An
epoch is *at a transition* if the scorer's stage differs from that of the epoch before or after it, and
*inside a run* if it has a neighbour and none differs; an epoch without neighbours is neither. Rates
count, for scorer and predictions alike, the pairs of neighbours that both have a valid answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation import epoch_lengths
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.metrics import jackknife
from psgimg.finetune.metrics.jackknife import Range
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the epochs of a file stand among their neighbours; each (n,), one value per epoch.

    Parameters
    ----------
    at, inside
        Whether it is at a transition of the scorer's, or inside a run.
    wrong
        Whether it is not predicted correctly.
    unanswered
        Whether it ends a pair of neighbours of which one has no valid answer.
    hours
        Its length, if it ends a pair that is counted in the rates; else 0.
    scored, predicted
        Whether it ends such a pair, and the stage of that scorer or prediction changes there.
    """

    at: Mask
    inside: Mask
    wrong: Mask
    unanswered: Mask
    hours: npt.NDArray[np.float64]
    scored: Mask
    predicted: Mask


def places(data: Epochs) -> Places:
    """Find the transitions and runs of all recordings."""
    joined = np.zeros(len(data), np.bool_)
    joined[1:] = (np.diff(data.recording) == 0) & (np.diff(data.epoch) == 1)
    change = _changes(data.label, joined)
    at, neighbour = change.copy(), joined.copy()
    at[:-1] |= change[1:]
    neighbour[:-1] |= joined[1:]
    answered = data.prediction != NO_ANSWER
    pairs = joined & answered
    pairs[1:] &= answered[:-1]
    lengths_s = epoch_lengths.assumed(data.epochs_s)[data.recording]
    return Places(
        at=at,
        inside=neighbour & ~at,
        wrong=data.label != data.prediction,
        unanswered=joined & ~pairs,
        hours=np.where(pairs, lengths_s / 3600, 0.0),
        scored=_changes(data.label, pairs),
        predicted=_changes(data.prediction, pairs),
    )


def transitions(data: Epochs, found: Places) -> dict[str, Any]:
    """Return errors by place, rates of change and counts of transitions, as in ``metrics.json``."""
    slices = list(data.subjects().values())
    pairs = found.hours > 0
    return {
        "at_transition": _errors(found.at, found.wrong, slices),
        "inside_run": _errors(found.inside, found.wrong, slices),
        "without_neighbour": int((~found.at & ~found.inside).sum()),
        "rate_per_hour": _rates(found, slices),
        "hours": float(found.hours.sum()),
        "pairs_without_answer": int(found.unanswered.sum()),
        "scored": _counts(data.label, pairs),
        "predicted": _counts(data.prediction, pairs),
    }


def by_recording(data: Epochs, found: Places) -> list[dict[str, float]]:
    """Return accuracy by place and rates of change of each recording; NaN where undefined."""
    rows = []
    for _, part in data.parts():
        right = ~found.wrong[part]
        hours = float(found.hours[part].sum())
        at, inside = found.at[part], found.inside[part]
        rows.append(
            {
                "accuracy_at_transitions": _ratio(right[at].sum(), at.sum()),
                "accuracy_inside_runs": _ratio(right[inside].sum(), inside.sum()),
                "transitions_per_hour_scored": _ratio(found.scored[part].sum(), hours),
                "transitions_per_hour_predicted": _ratio(found.predicted[part].sum(), hours),
            }
        )
    return rows


def _changes(stages: npt.NDArray[np.int8], pairs: Mask) -> Mask:
    """Return which epochs, of those that end a pair, have another stage than the one before."""
    change = np.zeros(len(stages), np.bool_)
    change[1:] = stages[1:] != stages[:-1]
    return change & pairs


def _errors(where: Mask, wrong: Mask, slices: Iterable[slice]) -> dict[str, Any]:
    """Return epochs, their share of all errors, and their accuracy over subjects."""
    right_there = where & ~wrong
    pairs = [(int(right_there[rows].sum()), int(where[rows].sum())) for rows in slices]
    right, n = np.array(pairs, np.float64).T
    return {
        "epochs": int(n.sum()),
        "share_of_errors": _ratio((where & wrong).sum(), wrong.sum()),
        "accuracy": over_subjects(right, n, within=(0.0, 1.0)),
    }


def _rates(found: Places, slices: Iterable[slice]) -> dict[str, Any]:
    """Return changes of stage per hour by scorer and predictions, and their difference."""
    sums = [
        [float(part[rows].sum()) for part in (found.scored, found.predicted, found.hours)]
        for rows in slices
    ]
    scored, predicted, hours = np.array(sums).T
    return {
        "scored": over_subjects(scored, hours),
        "predicted": over_subjects(predicted, hours),
        "difference": over_subjects(predicted - scored, hours),
    }


def over_subjects(parts: Values, wholes: Values, within: Range | None = None) -> dict[str, Any]:
    """Return a ratio of sums over the subjects that have any whole, with its interval."""
    has = wholes > 0
    both = np.column_stack([parts, wholes])[has]
    found = jackknife.of_sums(
        both, lambda sums: _ratio(sums[0], sums[1]), wholes[has], within=within
    )
    return found._asdict()


def _counts(stages: npt.NDArray[np.int8], pairs: Mask) -> list[list[int]]:
    """Return (5, 5) pairs by stage of the first epoch (rows) and of the second (columns)."""
    both = stages[:-1][pairs[1:]] * N_STAGES + stages[1:][pairs[1:]]
    table = np.bincount(both, minlength=N_STAGES**2).reshape(N_STAGES, N_STAGES)
    counts: list[list[int]] = table.tolist()
    return counts


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
