"""Caveats: what a reader should know about the epochs that the metrics were computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from psgimg.builder.words import counted, percent
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.evaluation.intervals import without_interval
from psgimg.finetune.lanes.seen import described
from psgimg.finetune.metrics import disclosure, metric_table
from psgimg.finetune.metrics.jackknife import FEWEST, too_few

N_PATTERNS = 3
"""Number of patterns of absent lanes that a note lists."""


def notes(data: Epochs, values: Mapping[str, Any], clinical: Sequence[str]) -> list[str]:
    """Return the caveats that apply to some epochs and their metrics, one line each.

    Parameters
    ----------
    data, values
        The epochs, and their metrics as in ``metrics.json``.
    clinical
        Caveats on sleep statistics and groups.
    """
    counts, lines = values["counts"], []
    if not data.has_subject:
        lines.append("There is no column subject: each recording counts as a subject.")
    if counts["no_answer"]:
        share = counts["no_answer"] / counts["epochs"]
        lines.append(
            f"No valid answer to {counts['no_answer']:,} of {counts['epochs']:,} epochs "
            f"({percent(share, 1)}); these count as wrong."
        )
    if data.renamed:
        words = ", ".join(f"{word} as {stage}" for word, stage in sorted(data.renamed.items()))
        lines.append(f"Stages by other names were read: {words}.")
    if answers := _answers(data):
        lines.append(f"Answers in words: {answers}.")
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
    files = [(one["file"], one["source"]) for one in (values, *values["comparisons"])]
    known = disclosure.notes(files)
    return [*lines, *_without_interval(values), *clinical, *known, *_on_probabilities(data)]


def _answers(data: Epochs) -> str:
    """Return how the answers were given, as `psgimg predict` counted them; empty if it did not."""
    counts = (data.source or {}).get("answers")
    if not isinstance(counts, Mapping):
        return ""
    return ", ".join(f"{n:,} {manner}" for manner, n in counts.items() if isinstance(n, int))


def _without_interval(values: Mapping[str, Any]) -> list[str]:
    """Return which metrics have no interval, and why, one line for each reason."""
    n_subjects, scorers = values["counts"]["subjects"], values["scorers"]
    if n_subjects < FEWEST:
        return [f"No intervals: {too_few(n_subjects)}."]
    parts = {"": values["pooled"]}
    parts |= {f" in {corpus}": part for corpus, part in values["by_corpus"].items()}
    if scorers:
        parts[" for the second scorer"] = scorers
        parts[" on the epochs scored twice"] = {"figures": scorers["model_on_same"]}
    if people := values["people"]:
        parts[" for each scorer against the others"] = people
        parts[" against the others of each scorer"] = {"figures": people["model_on_same"]}
    parts |= {f", difference of {entry['file']}": entry for entry in values["comparisons"]}
    lines, every = [], metric_table.listed(metric_table.METRICS)
    for name, part in parts.items():
        missing = without_interval(part["figures"], metric_table.METRICS)
        for reason, names in missing.items():
            of = "s" if names == every else f" of {names}"
            lines.append(f"No interval{of}{name}: {reason}.")
    return lines


def _on_probabilities(data: Epochs) -> list[str]:
    if data.probabilities is None:
        return []
    lines = []
    complete = np.isfinite(data.probabilities).all(axis=1)
    if not complete.all():
        lines.append(f"{complete.sum():,} of {counted(len(data), 'epoch')} have probabilities.")
    likeliest = data.probabilities.argmax(axis=1)
    if other := int(((likeliest != data.prediction) & complete).sum()):
        lines.append(f"In {counted(other, 'epoch')} the prediction is not the most probable stage.")
    return lines
