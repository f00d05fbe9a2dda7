"""Agreement: how far two scorers agree with one another, the ceiling of what a model can reach."""

from __future__ import annotations

from typing import Any

from psgimg.finetune.evaluation.epochs import Epochs, confusions
from psgimg.finetune.evaluation.intervals import as_values, intervals


def agreement(found: Epochs, rounds: int, seed: int) -> dict[str, Any] | None:
    """Both scorers on the epochs that both scored, and the model on exactly those.

    Returns
    -------
    ``epochs``, ``recordings``, ``subjects``; ``confusion`` (rows the reference scorer, columns the
    second one); ``figures`` of the second scorer and ``model_on_same`` of the model, both against
    the reference scorer, with intervals over subjects. None without a second scorer.
    """
    both = found.label_2 >= 0
    if not both.any():
        return None
    subjects = {key: rows for key, rows in found.subjects().items() if both[rows].any()}
    second = confusions(subjects, found.label, found.label_2, both)
    model = confusions(subjects, found.label, found.prediction, both)
    return {
        "epochs": int(both.sum()),
        "recordings": sum(bool(both[rows].any()) for _, rows in found.parts()),
        "subjects": len(subjects),
        "confusion": second.sum(0).tolist(),
        "figures": as_values(intervals(second, rounds=rounds, seed=seed)),
        "model_on_same": as_values(intervals(model, rounds=rounds, seed=seed)),
    }
