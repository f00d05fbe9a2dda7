"""Decoded: predictions page by page become those of whole nights, with the pages' own beside them.

Probabilities first take the temperature of the model; decoding comes after that, and then the temperature
of decoded nights. A decoded epoch is assigned its most probable stage given the whole night, which errs in
the fewest epochs; the likeliest sequence of stages as a whole stands in a column of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.decoding import night_decoding, temperature, whole_nights
from psgimg.finetune.decoding.calibration_fit import Calibration
from psgimg.finetune.decoding.transitions import Chain, Transitions
from psgimg.finetune.metrics.predictions import (
    PAGE_PREDICTION,
    PAGE_PROBABILITIES,
    PROBABILITIES,
    SEQUENCE,
    Predictions,
)

PAGE, NIGHT = DECODE = ("page", "night")
"""Whether each page is staged by itself, or a night as a whole."""

SETTINGS = ("decode", "calibration")
"""Keys of the settings beside predictions that say how their probabilities came about."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decoding:
    """How the probabilities that a model gives become those of a file.

    Parameters
    ----------
    decode
        ``PAGE`` or ``NIGHT``.
    calibration
        Temperatures and weight; None for probabilities as the model gives them.
    transitions
        How stages follow each other; empty if unknown.
    """

    decode: str = PAGE
    calibration: Calibration | None = None
    transitions: Transitions = field(default_factory=Transitions)

    def settings(self) -> dict[str, Any]:
        """Return what determines the probabilities, as JSON values."""
        fit, night = self.calibration, self.decode == NIGHT
        if fit is None:
            return dict(zip(SETTINGS, (self.decode, None), strict=True))
        values: dict[str, float | None] = {"temperature": fit.temperature}
        if night:
            values |= {"weight": fit.weight, "night_temperature": fit.night_temperature}
        return dict(zip(SETTINGS, (self.decode, values), strict=True))

    def pages(self, probabilities: Floats) -> Floats:
        """Return probabilities (n, 5) of pages with the temperature; rows of NaN stay so."""
        fit = self.calibration
        return probabilities if fit is None else temperature.scaled(probabilities, fit.temperature)

    def night(
        self, pages: Floats, epochs: npt.NDArray[np.integer], chain: Chain
    ) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return (n, 5) probabilities of the epochs of a night, and (n,) its likeliest sequence.

        Parameters
        ----------
        pages : (n, 5)
            Complete probabilities of the pages, with the temperature.
        epochs : (n,)
            Numbers of the epochs, ascending.
        """
        fit = self.calibration
        assert fit is not None
        assert fit.weight is not None
        [odds] = night_decoding.smoothed(pages, epochs, chain, [fit.weight])
        sequence = night_decoding.likeliest(pages, epochs, chain, fit.weight)
        return temperature.scaled(odds, fit.night_temperature), sequence

    def apply(self, predictions: Predictions) -> Predictions:
        """Return predictions with the temperature and, if so chosen, decoded night by night.

        Parameters
        ----------
        predictions
            Probabilities as a model gives them. Pages without any keep their stage, and are a gap.

        Raises
        ------
        BuildError
            If a night is to be decoded whose epochs are of a length without transitions.
        """
        found = predictions.probabilities
        if found is None:
            return predictions
        pages = self.pages(found)
        if self.decode == PAGE:
            return Predictions(_with(predictions.table, PROBABILITIES, pages))
        known = np.asarray(np.isfinite(pages).all(axis=1))
        odds, sequence = pages.copy(), np.full(len(pages), -1)
        for night in whole_nights.of(predictions.table, known, self.transitions):
            rows = night.rows
            odds[rows], sequence[rows] = self.night(pages[rows], night.epochs, night.chain)
        before = predictions.table["prediction"]
        stages = pc.if_else(pa.array(known), _names(np.nan_to_num(odds).argmax(axis=1)), before)
        table = _with(predictions.table, PROBABILITIES, odds)
        table = _with(table, PAGE_PROBABILITIES, pages)
        columns = {"prediction": stages, PAGE_PREDICTION: before, SEQUENCE: _names(sequence)}
        for name, column in columns.items():
            table = table.set_column(table.column_names.index(name), name, column)
        return Predictions(table)


def of_model(
    transitions: Transitions, calibration: Calibration | None, decode: str, model: str
) -> Decoding:
    """Return the decoding of a model, by what is kept in its folder.

    Raises
    ------
    BuildError
        If nights are to be decoded and the weight of the transitions was never fitted.
    """
    if decode == NIGHT and (calibration is None or calibration.weight is None):
        raise BuildError(
            f"--decode night: {model} has no weight for its transitions; predict the validation split "
            "with it, and give that file to `psgimg calibrate --model`"
        )
    return Decoding(decode, calibration, transitions)


def as_given(predictions: Predictions, source: Mapping[str, Any] | None) -> Predictions:
    """Return predictions page by page, with the probabilities that a model gives before calibration.

    Parameters
    ----------
    source
        Contents of the JSON file beside the predictions; None if there is none.

    Raises
    ------
    BuildError
        If it states a temperature that is none.
    """
    settings = (source or {}).get("settings")
    kept = settings.get("calibration") if isinstance(settings, Mapping) else None
    degree = kept.get("temperature", 1.0) if isinstance(kept, Mapping) else 1.0
    if not isinstance(degree, int | float) or not 0 < degree < np.inf:
        raise BuildError(
            f"the JSON file beside the predictions states the temperature {degree!r:.40}; predict again"
        )
    table, odds = predictions.table, predictions.probabilities
    if (pages := predictions.page_probabilities) is not None:
        odds = pages
        table = table.set_column(
            table.column_names.index("prediction"), "prediction", table[PAGE_PREDICTION]
        )
        nothing = pa.nulls(len(table), pa.string())
        for name in (PAGE_PREDICTION, SEQUENCE):
            table = table.set_column(table.column_names.index(name), name, nothing)
        table = _with(table, PAGE_PROBABILITIES, np.full(pages.shape, np.nan))
    if odds is not None:
        table = _with(table, PROBABILITIES, temperature.scaled(odds, 1 / float(degree)))
    return Predictions(table)


def _with(table: pa.Table, names: tuple[str, ...], values: Floats) -> pa.Table:
    """Return a table with other columns of numbers; NaN is null."""
    for name, column in zip(names, values.T, strict=True):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(column, pa.float64(), from_pandas=True))
    return table


def _names(codes: npt.NDArray[np.int64]) -> pa.Array:
    return pc.take(pa.array(STAGE_NAMES), pa.array(codes, mask=codes < 0))
