"""Caveats: what a reader should know about the epochs that the metrics were computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from psgimg.builder.card.templates import counted
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.lanes.seen import described

N_PATTERNS = 3
"""Number of patterns of absent lanes that a note lists."""

FEW_SUBJECTS = 10
"""Below this number, percentile intervals are known to be too narrow."""


def notes(data: Epochs, values: Mapping[str, Any]) -> list[str]:
    """Return the caveats that apply to some epochs and their metrics, one line each."""
    counts, lines = values["counts"], []
    if not data.has_subject:
        lines.append("There is no column subject: each recording counts as a subject.")
    if counts["no_answer"]:
        share = counts["no_answer"] / counts["epochs"]
        lines.append(
            f"No valid answer to {counts['no_answer']:,} of {counts['epochs']:,} epochs "
            f"({share:.1%}); these count as wrong."
        )
    if data.unseen_lanes:
        which = ", ".join(
            f"{described(absent)} {n:,}"
            for absent, n in list(data.unseen_lanes.items())[:N_PATTERNS]
        )
        lines.append(
            f"In {counted(sum(data.unseen_lanes.values()), 'epoch')} lanes are absent as on no page of "
            f"the model's training ({which}); what it makes of these is not to be trusted."
        )
    if gaps := [row["missing"] for row in values["recordings"] if row["missing"]]:
        lines.append(
            f"{counted(sum(gaps), 'epoch')} missing between the first and the last of a recording, "
            f"in {len(gaps)} of {counted(counts['recordings'], 'recording')}; not evaluated."
        )
    if counts["subjects"] < 2:
        lines.append("No intervals, as there is only one subject to resample.")
    elif counts["subjects"] < FEW_SUBJECTS:
        lines.append(f"With {counts['subjects']} subjects, intervals are rough and too narrow.")
    return lines + _on_probabilities(data)


def _on_probabilities(data: Epochs) -> list[str]:
    if data.probabilities is None:
        return []
    lines = []
    complete = np.isfinite(data.probabilities).all(axis=1)
    if not complete.all():
        lines.append(f"{complete.sum():,} of {counted(len(data), 'epoch')} have probabilities.")
    likeliest = data.probabilities[complete].argmax(axis=1)
    if other := int((likeliest != data.prediction[complete]).sum()):
        lines.append(f"In {counted(other, 'epoch')} the prediction is not the most probable stage.")
    return lines
