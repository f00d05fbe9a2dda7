"""Combining: the mean probabilities of several predictions of the same epochs, an ensemble.

Members are as they were predicted: probabilities with their temperature, before a night is decoded. The
combined file has such probabilities again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import counted
from psgimg.finetune.evaluation import joining, predictions_file
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.evaluation.paired import check_labels, matched
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import jackknife
from psgimg.finetune.metrics.predictions import PROBABILITIES

MEMBERS = "combined"
"""Key of the names of the members in the JSON file beside combined predictions."""


@dataclass(frozen=True, eq=False)
class Combination:
    """An ensemble and its members on the same epochs.

    Parameters
    ----------
    data
        The mean probabilities, and the most probable stage as prediction.
    members
        The files, in the order of their names.
    names
        Names of the files.
    probabilities : (n_members, n, 5) float64
        Those of the members, by the rows of ``data``.
    """

    data: Epochs
    members: tuple[Epochs, ...]
    names: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]


def read(paths: Sequence[Path], names: Sequence[str], codes: Codes, out: Path) -> Combination:
    """Read predictions of the same epochs, and combine them.

    Parameters
    ----------
    out
        Path of the combined predictions, for messages.

    Raises
    ------
    BuildError
        If there is one file only, one can't be read or its nights are decoded, an epoch has no probabilities, the files do not
        cover the same epochs or disagree on the scored stages, or their signals differ.
    """
    if len(paths) < 2:
        raise BuildError(f"--combine: {paths[0]} is one file; give at least two")
    members = [predictions_file.read(path, codes) for path in paths]
    for one in members:
        if one.pages is not None:
            raise BuildError(
                f"--combine: the nights of {one.path} are decoded; combine predictions made without "
                "--decode night, and decode the result: psgimg calibrate --apply"
            )
    first = members[0]
    orders = [np.arange(len(first)), *(matched(first, other) for other in members[1:])]
    for other, order in zip(members[1:], orders[1:], strict=True):
        check_labels(first, other, order)
        if (first.source or {}).get("corruption") != (other.source or {}).get("corruption"):
            raise BuildError(
                f"--combine: the signals of {first.path} and {other.path} were corrupted in different "
                "ways, or only those of one; combine predictions of the same signals"
            )
    stack = np.stack([_known(one)[order] for one, order in zip(members, orders, strict=True)])
    mean = stack.mean(axis=0)
    source = joining.common([one.source for one in members]) or {}
    data = replace(
        first,
        path=out,
        source={**source, "psgimg": version("psgimg"), MEMBERS: list(names)},
        prediction=mean.argmax(axis=1).astype(np.int8),
        probabilities=mean / mean.sum(axis=1, keepdims=True),
        renamed={word: stage for one in members for word, stage in one.renamed.items()},
    )
    return Combination(data, tuple(members), tuple(names), stack)


def _known(data: Epochs) -> npt.NDArray[np.float64]:
    """Return the probabilities of a file that has them for every epoch."""
    odds = data.probabilities
    missing = len(data) if odds is None else int((~np.isfinite(odds).all(axis=1)).sum())
    if odds is None or missing:
        raise BuildError(
            f"--combine: {data.path} has no probabilities of {counted(missing, 'epoch')}; predict "
            "with --mode score, or leave it out"
        )
    return odds


def table(data: Epochs) -> pa.Table:
    """Return combined predictions as a table with the columns of a predictions file."""
    of = pa.array(data.recording)
    there = {"corpus": data.has_corpus, "subject": data.has_subject, "recording": True}
    columns: dict[str, Any] = {
        name: pa.array([getattr(key, name) for key in data.recordings]).take(of)
        for name in there
        if there[name]
    }
    columns |= {"epoch": data.epoch, "label": _names(data.label), "label_2": _names(data.label_2)}
    columns["prediction"] = _names(data.prediction)
    assert data.probabilities is not None
    columns |= dict(zip(PROBABILITIES, data.probabilities.T, strict=True))
    if data.votes is not None:
        rows = data.votes.tolist()
        columns["votes"] = [" ".join(map(str, row)) if any(row) else None for row in rows]
    columns["epoch_s"] = pa.array(data.epochs_s, from_pandas=True).take(of)
    return pa.table(columns)


def _names(codes: npt.NDArray[np.int8]) -> pa.Array:
    return pc.take(pa.array(STAGE_NAMES), pa.array(codes, mask=codes < 0))


def values(combination: Combination) -> dict[str, Any]:
    """Return the facts of an ensemble as JSON values.

    Returns
    -------
    ``files``; ``agree``, the share of epochs that all members stage alike; ``accuracy_agreed`` and
    ``accuracy_disputed``, those of the ensemble where they do and where they do not, with intervals
    over subjects.
    """
    data = combination.data
    likeliest = combination.probabilities.argmax(axis=2)
    agree = (likeliest == likeliest[0]).all(axis=0)
    right = data.prediction == data.label
    subjects = data.subjects().values()
    everywhere = np.ones(len(data), np.bool_)
    pairs = {
        "agree": (agree, everywhere),
        "accuracy_agreed": (right, agree),
        "accuracy_disputed": (right, ~agree),
    }
    shares = {}
    for name, (those, among) in pairs.items():
        parts = np.array([[(those & among)[rows].sum(), among[rows].sum()] for rows in subjects])
        found = jackknife.of_sums(parts, jackknife.share, parts[:, 1], within=(0.0, 1.0))
        shares[name] = found._asdict()
    return {"files": list(combination.names), **shares}
