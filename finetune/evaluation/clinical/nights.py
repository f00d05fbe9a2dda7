"""Nights: sleep statistics of each recording by the scorer and by the predictions, and their errors.

A night is what the file holds of a recording, from its first epoch to its last: a file of predictions
does not state lights off and lights on. Both hypnograms consist of exactly the same epochs. An epoch
that is not in the file is neither sleep nor wake in either of them; an epoch without a valid answer is
neither in the predicted one, so that it is missing from the predicted minutes of its stage. A
recording of which the file lacks too much is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.words import counted, percent
from psgimg.finetune.evaluation.clinical.agreement import Agreement, agreement
from psgimg.finetune.evaluation.clinical.measures import MEASURES
from psgimg.finetune.evaluation.epochs import Epochs, Night, SubjectKey
from psgimg.finetune.metrics import sleep_statistics
from psgimg.finetune.metrics.sleep_statistics import UNSCORED

FEWEST_EPOCHS = 20
"""Shorter recordings are no nights; so are the single epochs that a sample of pages leaves."""

LEAST_COVERED = 0.9
"""Share of the epochs from first to last that must be in the file."""

SHORT, HOLES = "short", "holes"
REASONS = {
    SHORT: f"fewer than {FEWEST_EPOCHS} epochs",
    HOLES: f"more than {percent(1 - LEAST_COVERED)} of the epochs between the first and the last missing",
}
"""Why a recording is left out."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Nights:
    """The sleep statistics of the recordings of a file.

    Parameters
    ----------
    left_out : (n_recordings,)
        Reason for which a recording is not compared; None if it is.
    scored, predicted : (n_recordings, n_measures) float64
        Sleep statistics in the order of ``MEASURES``; NaN where undefined or left out.
    subject : (n_recordings,) int64
        Number of the recording's subject.
    """

    left_out: tuple[str | None, ...]
    scored: Values
    predicted: Values
    subject: npt.NDArray[np.int64]

    @property
    def errors(self) -> Values:
        """(n_recordings, n_measures) predicted − scored."""
        return self.predicted - self.scored

    @property
    def compared(self) -> npt.NDArray[np.bool_]:
        """(n_recordings,) whether a recording is compared."""
        return np.array([reason is None for reason in self.left_out], np.bool_)

    def rows(self) -> list[dict[str, Any]]:
        """Return for each recording its statistics by measure, or why it is left out."""
        found = []
        for place, reason in enumerate(self.left_out):
            values = zip(self.scored[place].tolist(), self.predicted[place].tolist(), strict=True)
            figures = {
                measure.key: {"scored": one, "predicted": other, "error": other - one}
                for measure, (one, other) in zip(MEASURES, values, strict=True)
            }
            found.append({"left_out": reason, "sleep": figures if reason is None else None})
        return found


def of(data: Epochs) -> Nights:
    """Compute the sleep statistics of every recording."""
    numbers: dict[SubjectKey, int] = {}
    subject = [
        numbers.setdefault(SubjectKey(key.corpus, key.subject), len(numbers))
        for key in data.recordings
    ]
    left_out, both = [], np.full((2, len(data.recordings), len(MEASURES)), np.nan)
    for place, night in enumerate(data.nights()):
        reason = _left_out(night)
        left_out.append(reason)
        if reason is None:
            for side, stages in enumerate((night.labels, night.predictions)):
                both[side, place] = _statistics(night, stages)
    return Nights(tuple(left_out), both[0], both[1], np.array(subject, np.int64))


def figures(
    nights: Nights, chosen: npt.NDArray[np.bool_] | None = None
) -> dict[str, dict[str, Any]]:
    """Return bias and limits of agreement of every measure, in the form of ``metrics.json``.

    Parameters
    ----------
    chosen : (n_recordings,)
        Recordings to compare; all if None.
    """
    kept = nights.compared if chosen is None else nights.compared & chosen
    found = {}
    for place, measure in enumerate(MEASURES):
        scored, predicted = nights.scored[kept, place], nights.predicted[kept, place]
        there = (~np.isnan(scored), ~np.isnan(predicted))
        both = there[0] & there[1]
        subject = nights.subject[kept][both]
        result = agreement(predicted[both] - scored[both], subject)
        found[measure.key] = {
            "nights": int(both.sum()),
            "subjects": len(np.unique(subject)),
            "undefined": {
                "in_scored": int((there[1] & ~there[0]).sum()),
                "in_predicted": int((there[0] & ~there[1]).sum()),
                "in_both": int((~there[0] & ~there[1]).sum()),
            },
            "mean_scored": _mean(scored[both]),
            "mean_predicted": _mean(predicted[both]),
            **_as_values(result),
        }
    return found


def summary(data: Epochs, nights: Nights) -> dict[str, Any]:
    """Return what is compared, and the figures of every measure, in the form of ``metrics.json``."""
    reasons = Counter(reason for reason in nights.left_out if reason is not None)
    lengths_s = np.where(np.isnan(data.epochs_s), 0.0, data.epochs_s).tolist()
    stated = Counter(f"{length_s:g}" if length_s else "not stated" for length_s in lengths_s)
    return {
        "compared": int(nights.compared.sum()),
        "subjects": len(np.unique(nights.subject[nights.compared])),
        "left_out": {reason: reasons[reason] for reason in REASONS},
        "epochs_s": dict(sorted(stated.items())),
        "measures": figures(nights),
    }


def notes(values: Mapping[str, Any]) -> list[str]:
    """Return the caveats on the nights' figures, one line each."""
    nights, lines = values["nights"], []
    for reason, n in nights["left_out"].items():
        if n:
            lines.append(
                f"{n:,} of {counted(values['counts']['recordings'], 'recording')} not in the sleep "
                f"statistics: {REASONS[reason]}."
            )
    if (n := nights["epochs_s"].get("not stated")) and nights["compared"]:
        lines.append(
            f"The length of epochs is not stated for {n:,} of {values['counts']['recordings']:,} "
            "recordings (column epoch_s): minutes assume 30 s."
        )
    return lines


def _left_out(night: Night) -> str | None:
    n = len(night.epochs)
    if n < FEWEST_EPOCHS:
        return SHORT
    span = int(night.epochs[-1] - night.epochs[0]) + 1
    return HOLES if n / span < LEAST_COVERED else None


def _statistics(night: Night, stages: npt.NDArray[np.int8]) -> list[float]:
    """Return the measures of a night's stages, laid on all epochs from the first to the last."""
    whole = np.full(int(night.epochs[-1] - night.epochs[0]) + 1, UNSCORED, np.int64)
    whole[night.epochs - night.epochs[0]] = stages  # NO_ANSWER is UNSCORED: without a stage
    statistics = sleep_statistics.statistics(whole, night.epoch_s)
    return [measure.of(statistics) for measure in MEASURES]


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _as_values(result: Agreement) -> dict[str, Any]:
    return {
        "bias": result.bias._asdict(),
        "mae": result.mae,
        "sd": result.sd,
        "lower_limit": result.lower._asdict(),
        "upper_limit": result.upper._asdict(),
    }
