"""Notes: what a reader of the figures should know of the epochs they are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from psgimg.builder.card.templates import counted
from psgimg.finetune.evaluation.epochs import Epochs

FEW_SUBJECTS = 10
"""With fewer, percentile intervals are known to be too narrow."""


def notes(found: Epochs, values: Mapping[str, Any]) -> list[str]:
    """What holds of the epochs and of their figures, a line each."""
    counts, lines = values["counts"], []
    if not found.has_subject:
        lines.append("There is no column subject: each recording counts as a subject.")
    if counts["no_answer"]:
        share = counts["no_answer"] / counts["epochs"]
        lines.append(
            f"No valid answer to {counts['no_answer']:,} of {counts['epochs']:,} epochs "
            f"({share:.1%}): they count as wrong."
        )
    if holes := [row["missing"] for row in values["recordings"] if row["missing"]]:
        lines.append(
            f"{counted(sum(holes), 'epoch')} missing between the first and the last of a recording, "
            f"in {len(holes)} of {counted(counts['recordings'], 'recording')}: not judged."
        )
    if counts["subjects"] < 2:
        lines.append("One subject: no intervals, as there is nobody else to draw.")
    elif counts["subjects"] < FEW_SUBJECTS:
        lines.append(f"With {counts['subjects']} subjects the intervals are rough and too narrow.")
    return lines + _of_probabilities(found)


def _of_probabilities(found: Epochs) -> list[str]:
    if found.probabilities is None:
        return []
    lines = []
    there = np.isfinite(found.probabilities).all(axis=1)
    if not there.all():
        lines.append(f"{there.sum():,} of {counted(len(found), 'epoch')} have probabilities.")
    likeliest = found.probabilities[there].argmax(axis=1)
    if other := int((likeliest != found.prediction[there]).sum()):
        lines.append(f"In {counted(other, 'epoch')} the prediction is not the most probable stage.")
    return lines
