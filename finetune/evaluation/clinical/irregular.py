"""Irregular transitions: changes of stage that the hypnograms of a training hardly show, or never.

What is irregular is decided by the transitions that a file of predictions states, which were counted in
other people's hypnograms: the scorer of the file may make irregular ones too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation import epoch_lengths
from psgimg.finetune.evaluation.clinical.transitions import over_subjects
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER

RARE = 0.02
"""A change is rare if it makes up less than this share of all changes from its stage."""

KEY = "transitions"
"""Key of the counts in the JSON file beside predictions."""

Masks = npt.NDArray[np.bool_]


def irregular(data: Epochs) -> dict[str, Any] | None:
    """Return how often an hour stages change, in ways never seen in training and in rare ones.

    Returns
    -------
    ``hours``; ``rates``, for ``scored``, ``predicted`` and, if nights were decoded, ``page`` and
    ``sequence``, the rates ``changes``, ``never`` and ``rare`` an hour, with intervals over subjects. Pairs
    of neighbours count of which all have a stage. None if the file states no transitions for its epochs.
    """
    kinds = _kinds((data.source or {}).get(KEY))
    lengths_s = epoch_lengths.assumed(data.epochs_s)
    if not any(length_s in kinds for length_s in lengths_s.tolist()):
        return None
    stages = {"scored": data.label, "predicted": data.prediction}
    if data.pages is not None:
        stages |= {"page": data.pages.prediction, "sequence": data.pages.sequence}
    answered = np.all([codes != NO_ANSWER for codes in stages.values()], axis=0)
    answered &= np.isin(lengths_s, list(kinds))[data.recording]
    pairs = np.zeros(len(data), np.bool_)
    pairs[1:] = (np.diff(data.recording) == 0) & (np.diff(data.epoch) == 1)
    pairs[1:] &= answered[1:] & answered[:-1]
    hours = np.where(pairs, lengths_s[data.recording] / 3600, 0.0)
    slices = list(data.subjects().values())
    wholes = np.array([hours[rows].sum() for rows in slices])
    most = 3600 / float(lengths_s.min())
    rates: dict[str, dict[str, Any]] = {}
    for who, codes in stages.items():
        rates[who] = {
            name: over_subjects(
                np.array([mask[rows].sum() for rows in slices], float), wholes, within=(0.0, most)
            )
            for name, mask in _changes(codes, pairs, lengths_s[data.recording], kinds).items()
        }
    return {"hours": float(wholes.sum()), "rare": RARE, "rates": rates}


def _changes(
    codes: npt.NDArray[np.int8],
    pairs: Masks,
    lengths_s: npt.NDArray[np.float64],
    kinds: Mapping[float, Mapping[str, Masks]],
) -> dict[str, Masks]:
    """Return which epochs end a pair across which the stage changes, and in which way."""
    change = np.zeros(len(codes), np.bool_)
    change[1:] = codes[1:] != codes[:-1]
    change &= pairs
    found = {"changes": change, "never": np.zeros_like(change), "rare": np.zeros_like(change)}
    for length_s, of in kinds.items():
        rows = np.flatnonzero(change & (lengths_s == length_s))
        for name, table in of.items():
            found[name][rows] = table[codes[rows - 1], codes[rows]]
    return found


def _kinds(stated: Any) -> dict[float, dict[str, Masks]]:
    """Return length of epochs → (5, 5) which changes never occur and which are rare; {} if not stated."""
    found = {}
    for one in stated if isinstance(stated, list) else ():
        try:
            counts = np.array(one["counts"], np.int64)
            length_s = float(one["epoch_s"])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if counts.shape != (N_STAGES, N_STAGES):
            continue
        np.fill_diagonal(counts, 0)
        changes = counts.sum(axis=1, keepdims=True)
        never = counts == 0
        found[length_s] = {"never": never, "rare": ~never & (counts < RARE * changes)}
    return found
