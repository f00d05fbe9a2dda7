"""Interscorer agreement: how well two scorers agree, an upper reference for a model's agreement."""

from __future__ import annotations

from typing import Any

from psgimg.finetune.evaluation.epochs import Epochs, confusions
from psgimg.finetune.evaluation.intervals import as_values, intervals


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
