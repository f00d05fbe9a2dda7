"""Decoded nights: the figures of a file whose nights were decoded, before and after.

Such a file has the stages and probabilities of each page by itself beside the decoded ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psgimg.finetune.evaluation.epochs import Epochs, confusions
from psgimg.finetune.evaluation.intervals import as_values, intervals
from psgimg.finetune.evaluation.paired import compare
from psgimg.finetune.metrics.calibration import calibration

MEASURES = ("nll", "ece", "brier")


def before(data: Epochs) -> Epochs | None:
    """Return the predictions of each page by itself; None if nights were not decoded."""
    if data.pages is None:
        return None
    return replace(
        data, prediction=data.pages.prediction, probabilities=data.pages.probabilities, pages=None
    )


def effect(data: Epochs) -> dict[str, Any] | None:
    """Return what decoding changed; None if nights were not decoded.

    Returns
    -------
    ``figures``, those of pages (first) and of nights (second), and their difference with its paired
    interval; ``sequence``, the figures of the likeliest sequence of stages; ``page`` and ``night``, each
    with ``nll``, ``ece`` and ``brier``.
    """
    if (pages := before(data)) is None or data.pages is None:
        return None
    sequence = confusions(data.subjects(), data.label, data.pages.sequence)
    measured = {
        name: calibration(one.label, one.probabilities) or {}
        for name, one in (("page", pages), ("night", data))
    }
    return {
        "figures": compare(pages, data)["figures"],
        "sequence": as_values(intervals(sequence)),
        **{name: {key: one.get(key) for key in MEASURES} for name, one in measured.items()},
    }
