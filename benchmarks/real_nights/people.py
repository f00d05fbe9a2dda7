"""Figures of several seeds of a model on the same people, with intervals over these people.

A person leaves all seeds at once. Beside agreement with the first scorer: how far the probabilities are
those of the stages, of one scorer and of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.data.soft_labels import SoftLabels
from psgimg.finetune.evaluation.intervals import finite
from psgimg.finetune.evaluation.uncertainty import disagreement
from psgimg.finetune.metrics import calibration, jackknife, predictions
from psgimg.finetune.study import pooling

from real_nights.tables import Values

Floats = npt.NDArray[np.float64]

OF_TABLE = ("accuracy", "macro_f1", "kappa", "f1_W", "f1_N1", "f1_N2", "f1_N3", "f1_REM")
"""Figures of the confusion table, against the first scorer."""

RANGES: Mapping[str, tuple[float, float] | None] = {
    "nll": None,
    "ece": (0.0, 1.0),
    "nll_scorers": None,
    "cosine": (0.0, 1.0),
    "auc_disputed": (0.0, 1.0),
}
"""Figures of the probabilities → their range, None where they have none.

``nll`` and ``ece``: :func:`psgimg.finetune.metrics.calibration.calibration`, against the first scorer.
``nll_scorers``: mean cross-entropy with the shares of the scorers who chose each stage. ``cosine``: mean
cosine of the angle between the probabilities and these shares. ``auc_disputed``: area under the ROC curve
by which their entropy finds the epochs on which scorers differ; 0.5 is chance.
"""


def means(files: Sequence[Path]) -> dict[str, Values]:
    """Return the mean of every figure over files of predictions, with its interval."""
    cells = [pooling.read(path) for path in files]
    found = pooling.means(cells)
    table = {key: found[key]._asdict() for key in OF_TABLE}
    for key, own in table.items():
        own["seeds"] = [cell.figures[key] for cell in cells]
    return finite({**table, **_intervals(_read(files), pair=False)})


def differences(firsts: Sequence[Path], seconds: Sequence[Path]) -> dict[str, Values]:
    """Return the mean difference of every figure over pairs, second − first, with its interval."""
    pairs = [(pooling.read(a), pooling.read(b)) for a, b in zip(firsts, seconds, strict=True)]
    found = pooling.differences(pairs)
    table = {}
    for key in OF_TABLE:
        _, _, value, *ends = found[key]
        seeds = [second.figures[key] - first.figures[key] for first, second in pairs]
        table[key] = dict(zip(("value", "low", "high", "reason"), (value, *ends), strict=True))
        table[key]["seeds"] = seeds
    first, second = _read(firsts), _read(seconds)
    gap = Doubts(second.whole - first.whole, second.without - first.without, first.pages)
    return finite({**table, **_intervals(gap, pair=True)})


class Doubts(NamedTuple):
    """The figures of probabilities of some files.

    Parameters
    ----------
    whole : (n_files, n_figures)
        Over all people.
    without : (n_files, n_people, n_figures)
        Over all but one, for each.
    pages : (n_people,)
    """

    whole: Floats
    without: Floats
    pages: Floats


def _intervals(doubts: Doubts, *, pair: bool) -> dict[str, Values]:
    """Return each figure with its interval and its value in every file."""
    found = {}
    for i, (key, within) in enumerate(RANGES.items()):
        whole, without = doubts.whole[:, i], doubts.without[:, :, i].mean(axis=0)
        limits = (-1.0, 1.0) if within and pair else within
        ends = jackknife.ends(float(whole.mean()), without, doubts.pages, within=limits)
        found[key] = {"value": float(whole.mean()), **ends._asdict(), "seeds": whole.tolist()}
    return found


def _read(files: Sequence[Path]) -> Doubts:
    """Return the figures of files of predictions of the same people."""
    whole, without, pages = [], [], np.zeros(0)
    for path in files:
        read = predictions.read(path)
        subjects = np.array(read.table["subject"].to_pylist())
        people, pages = np.unique(subjects, return_counts=True)
        text = read.table["votes"].to_pylist() if read.votes is not None else ()
        shares = SoftLabels.of_columns(read.labels, read.labels_2, text).shares.astype(np.float64)
        chances = read.probabilities
        if chances is None:
            raise ValueError(f"{path} has no probabilities")
        own = [of(read.labels, shares, chances)]
        for one in people:
            kept = subjects != one
            own.append(of(read.labels[kept], shares[kept], chances[kept]))
        whole.append(own[0])
        without.append(own[1:])
    return Doubts(np.array(whole), np.array(without), pages.astype(np.float64))


def of(labels: npt.NDArray[np.int64], shares: Floats, chances: Floats) -> list[float]:
    """Return the figures of the probabilities of some pages, in the order of ``RANGES``.

    Parameters
    ----------
    labels : (n,)
        Stages by the first scorer.
    shares, chances : (n, 5)
        Shares of the scorers who chose each stage, and probabilities.
    """
    found = calibration.calibration(labels, chances)
    if found is None:
        return [float("nan")] * len(RANGES)
    logs = np.log(np.maximum(chances, calibration.LEAST))
    lengths = np.linalg.norm(chances, axis=1) * np.linalg.norm(shares, axis=1)
    disputed = shares.max(axis=1) < 1
    return [
        found["nll"],
        found["ece"],
        float(-(shares * logs).sum(axis=1).mean()),
        float(((chances * shares).sum(axis=1) / lengths).mean()),
        disagreement.area([disagreement.entropy(chances)], [disputed]).value,
    ]
