"""Disagreement: whether a model's doubt finds the epochs on which scorers disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.metrics import jackknife
from psgimg.finetune.metrics.jackknife import Interval

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def finds_scorers(data: Epochs, members: Floats | None = None) -> dict[str, Any] | None:
    """Return how well doubt tells epochs on which scorers disagree from those on which they agree.

    Parameters
    ----------
    members : (n_members, n, 5) or None
        Probabilities of the members of an ensemble.

    Returns
    -------
    ``epochs`` that two or more scored and that have probabilities, and ``disputed``, those of them on
    which the scorers disagree, by their votes where there are any; ``entropy``, the area under the ROC curve by the entropy of the probabilities,
    and ``members``, that by the disagreement of the members (Jensen-Shannon divergence; None without),
    with intervals over subjects. 0.5 is chance. None without such epochs of both kinds.
    """
    if data.probabilities is None:
        return None
    several, differ = _scored(data)
    known = several & np.isfinite(data.probabilities).all(axis=1)
    disputed = differ & known
    if not disputed.any() or not (known & ~disputed).any():
        return None
    slices = [rows for rows in data.subjects().values() if known[rows].any()]
    doubts = {"entropy": entropy(data.probabilities)}
    if members is not None:
        doubts["members"] = divergence(members)
    kept = [np.flatnonzero(known[rows]) + rows.start for rows in slices]
    positive = [disputed[rows] for rows in kept]
    areas = {
        name: area([doubt[rows] for rows in kept], positive)._asdict()
        for name, doubt in doubts.items()
    }
    return {"epochs": int(known.sum()), "disputed": int(disputed.sum()), "members": None, **areas}


def _scored(data: Epochs) -> tuple[Bools, Bools]:
    """Return of each epoch whether two or more people scored it, and whether they differ."""
    several = data.label_2 >= 0
    differ = several & (data.label != data.label_2)
    if data.votes is None:
        return several, differ
    voted = data.votes.sum(axis=1) > 0
    several = np.where(voted, data.votes.sum(axis=1) > 1, several)
    return several, np.where(voted, (data.votes > 0).sum(axis=1) > 1, differ)


def entropy(probabilities: Floats) -> Floats:
    """Return (...) the entropy of probabilities (..., 5), in nats."""
    logs = np.where(probabilities > 0, probabilities, 1)
    np.log(logs, out=logs)
    logs *= probabilities
    return np.asarray(-logs.sum(axis=-1))


def divergence(members: Floats) -> Floats:
    """Return (n,) the Jensen-Shannon divergence of the members' probabilities (n_members, n, 5)."""
    return np.asarray(np.maximum(entropy(members.mean(axis=0)) - entropy(members).mean(axis=0), 0))


def area(values: Sequence[Floats], positive: Sequence[Bools]) -> Interval:
    """Return the area under the ROC curve over all subjects, with its interval.

    It is the chance that a positive epoch has a higher value than a negative one, a half where equal.

    Parameters
    ----------
    values, positive
        Of each subject, (n_epochs,) the values, and whether an epoch is positive.
    """
    parts = [(one[mask], one[~mask]) for one, mask in zip(values, positive, strict=True)]
    high, low = (np.sort(np.concatenate(both)) for both in zip(*parts, strict=True))
    own = np.array([_wins(a, np.sort(b)) for a, b in parts])
    wins = np.array([_wins(a, low) for a, _ in parts]).sum()
    left = np.array([_wins(a, low) + len(b) * len(high) - _wins(b, high) for a, b in parts]) - own
    n_high, n_low = (np.array([len(one) for one in both]) for both in zip(*parts, strict=True))
    pairs = (len(high) - n_high) * (len(low) - n_low)
    figure = float(wins / (len(high) * len(low)))
    without = np.divide(wins - left, pairs, out=np.full(len(parts), np.nan), where=pairs > 0)
    return Interval(figure, *jackknife.ends(figure, without, n_high + n_low, within=(0.0, 1.0)))


def _wins(values: Floats, others: Floats) -> float:
    """Return how many pairs a value wins against sorted others; a draw is half a win."""
    below = np.searchsorted(others, values, side="left")
    return float((below + np.searchsorted(others, values, side="right")).sum() / 2)
