"""Calibration fit: temperature and weight of the transitions, from predictions of people held out.

The temperature has the least NLL of the pages. Successive pages err alike, so that decoded epochs are
surer than right: they have a temperature of their own. The weight is that with the least NLL of these, of
all weights with which at least as many epochs are right as page by page; page by page is one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Interval
from psgimg.builder.errors import BuildError
from psgimg.finetune.decoding import night_decoding, temperature, whole_nights
from psgimg.finetune.decoding.transitions import Transitions
from psgimg.finetune.decoding.whole_nights import WholeNight
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.metrics.calibration import calibration
from psgimg.finetune.metrics.predictions import Predictions
from typing_extensions import TypedDict

Floats = npt.NDArray[np.float64]

WEIGHTS = tuple(i / 10 for i in range(16))
"""Weights to choose from; with 0 pages are staged one by one."""

PREDICTED, TEMPERATURE, NIGHT = "predicted", "temperature", "night"
VARIANTS = {PREDICTED: "as predicted", TEMPERATURE: "with the temperature", NIGHT: "night decoded"}
"""Keys of the figures, and what they are of."""


class CalibrationJson(TypedDict):
    """A calibration as it is kept with a model; see :class:`Calibration`."""

    temperature: Annotated[float, Interval(ge=temperature.BOUNDS[0], le=temperature.BOUNDS[1])]
    weight: Annotated[float, Interval(ge=WEIGHTS[0], le=WEIGHTS[-1])] | None
    night_temperature: Annotated[
        float, Interval(ge=temperature.BOUNDS[0], le=temperature.BOUNDS[1])
    ]
    pages: Annotated[int, Ge(1)]
    recordings: Annotated[int, Ge(1)]
    subjects: Annotated[int, Ge(1)]
    figures: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Calibration:
    """What was fitted to predictions of people whom the model had not learned from.

    Parameters
    ----------
    temperature
        By which the logarithms of the probabilities are divided.
    weight
        Weight of the transitions in a night; None if no transitions were known.
    night_temperature
        Temperature of the decoded probabilities, after that of the pages; 1 without a weight.
    pages, recordings, subjects
        Numbers of those it was fitted to.
    figures
        ``PREDICTED``, ``TEMPERATURE`` and, with a weight, ``NIGHT`` → figure → value on these pages: the
        headline metrics, ``nll`` and ``ece``; None where undefined.
    """

    temperature: float
    weight: float | None
    night_temperature: float
    pages: int
    recordings: int
    subjects: int
    figures: Mapping[str, Mapping[str, float | None]]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: CalibrationJson) -> Calibration:
        """Return the calibration that ``to_json`` gave."""
        return cls(
            values["temperature"],
            values["weight"],
            values["night_temperature"],
            values["pages"],
            values["recordings"],
            values["subjects"],
            values["figures"],
        )


def fit(predictions: Predictions, transitions: Transitions, where: str) -> Calibration:
    """Fit temperature and weight to predictions page by page, as a model makes them.

    Parameters
    ----------
    transitions
        Those of the people learned from; empty if unknown, in which case no weight is fitted.
    where
        The file of the predictions, for messages.

    Raises
    ------
    BuildError
        If no page has probabilities, or no transitions were counted for epochs of such a length.
    """
    found = predictions.probabilities
    known = np.zeros(len(predictions), np.bool_)
    if found is not None:
        known = np.asarray(np.isfinite(found).all(axis=1))
    if found is None or not known.any():
        raise BuildError(f"{where} has no probabilities to calibrate; predict with --mode score")
    labels = predictions.labels
    degree = temperature.fitted(found[known], labels[known])
    pages = temperature.scaled(found, degree)
    variants = {PREDICTED: found[known], TEMPERATURE: pages[known]}
    weight, night_degree = None, 1.0
    if transitions:
        nights = whole_nights.of(predictions.table, known, transitions)
        weight, night_degree, variants[NIGHT] = _best(pages, labels, nights)
    keys = predictions.table.filter(known).select(["corpus", "subject", "recording"])
    return Calibration(
        degree,
        weight,
        night_degree,
        int(known.sum()),
        len(keys.group_by(["corpus", "recording"]).aggregate([])),
        len(keys.group_by(["corpus", "subject"]).aggregate([])),
        {name: _figures(odds, labels[known]) for name, odds in variants.items()},
    )


def _best(
    pages: Floats, labels: npt.NDArray[np.int64], nights: Sequence[WholeNight]
) -> tuple[float, float, Floats]:
    """Return the best weight, the temperature of what it decodes, and that, in the order of the file."""
    decoded = np.concatenate(
        [
            night_decoding.smoothed(pages[night.rows], night.epochs, night.chain, WEIGHTS)
            for night in nights
        ],
        axis=1,
    )
    rows = np.concatenate([night.rows for night in nights])
    own = labels[rows]
    right = (decoded.argmax(axis=2) == own).sum(axis=1)
    best = (np.inf, WEIGHTS[0], 1.0, pages[rows])
    for weight, odds, n_right in zip(WEIGHTS, decoded, right, strict=True):
        if n_right < right[0]:
            continue
        degree = temperature.fitted(odds, own) if weight else 1.0
        cooled = temperature.scaled(odds, degree)
        loss = temperature.nll(cooled, own)
        if loss < best[0]:
            best = (loss, weight, degree, cooled)
    _, weight, degree, odds = best
    return weight, degree, odds[np.argsort(rows)]


def _figures(odds: Floats, labels: npt.NDArray[np.int64]) -> dict[str, float | None]:
    table = metrics.confusion(labels, odds.argmax(axis=1))
    values = {metric.key: metric.of(table) for metric in metric_table.headline()}
    measured = calibration(labels, odds)
    assert measured is not None
    values |= {name: measured[name] for name in ("nll", "ece")}
    return {name: None if np.isnan(value) else round(value, 6) for name, value in values.items()}
