"""Prediction checks: what every table of predictions must satisfy, with errors that name the row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import vote_counts

SUM_TOLERANCE = 3e-3
"""Allowed deviation of an epoch's summed probabilities from 1: some tools round to three digits."""


MOST_NUMBERS = 2**30
"""Most combinations of texts that are numbered as such; with the numbers of epochs they fit 64 bits."""


def once(table: pa.Table, path: Path) -> None:
    """Raise BuildError if an epoch occurs twice."""
    keys = numbered(table, ("corpus", "recording"))
    if (np.diff(keys) > 0).all():  # in the order in which psgimg writes them
        return
    ordered = np.sort(keys)
    twice = ordered[1:][np.diff(ordered) == 0]
    if len(twice):
        row = int(np.flatnonzero(np.isin(keys, twice))[0])
        raise BuildError(
            f"{path}: {_named(table, row)} occurs {int((keys == keys[row]).sum())} times; keep one "
            "prediction per epoch"
        )


def numbered(table: pa.Table, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return (n,) numbers that order epochs by some columns of texts, then by their epoch number.

    Epochs have the same number only if these columns and their epoch number are the same. No value may
    be missing.
    """
    number, n_numbers = np.zeros(len(table), np.int64), 1
    for name in names:
        encoded = pc.dictionary_encode(table[name]).combine_chunks()
        words = encoded.dictionary
        rank = np.empty(len(words), np.int64)
        rank[pc.sort_indices(words).to_numpy()] = np.arange(len(words))
        number *= len(words)
        number += rank[encoded.indices.to_numpy()]
        n_numbers *= len(words)
        if n_numbers > MOST_NUMBERS:
            number = np.unique(number, return_inverse=True)[1]
            n_numbers = int(number.max(initial=0)) + 1
    epoch = table["epoch"].to_numpy().astype(np.int64)
    epoch -= epoch.min(initial=0)
    number *= epoch.max(initial=0) + 1
    number += epoch
    return number


def votes(table: pa.Table, path: Path) -> None:
    """Raise BuildError if votes are not five numbers of scorers."""
    if (text := vote_counts.invalid(table["votes"])) is not None:
        at = where(table, pc.fill_null(pc.equal(table["votes"], text), False))
        raise BuildError(
            f"{path}: {at} has the votes {text!r}; give the number of scorers for "
            f"{', '.join(STAGE_NAMES)}, such as {vote_counts.EXAMPLE!r}"
        )


def probabilities(table: pa.Table, names: Sequence[str], path: Path) -> None:
    """Raise BuildError if an epoch has some of five probabilities, or they do not sum to 1."""
    total, n_present = np.zeros(len(table)), np.zeros(len(table), np.int8)
    wrong = np.zeros(len(table), np.bool_)
    for name in names:
        values = np.asarray(table[name].to_numpy(), np.float64)
        present = ~np.isnan(values)
        n_present += present
        wrong |= values < 0
        np.add(total, values, out=total, where=present)
    wrong |= (n_present > 0) & ((n_present < len(names)) | (np.abs(total - 1) > SUM_TOLERANCE))
    if wrong.any():
        row = int(np.argmax(wrong))
        found = [
            float("nan") if (one := table[name][row].as_py()) is None else one for name in names
        ]
        raise BuildError(
            f"{path}: {where(table, pa.array(wrong))} has {', '.join(names)} of {found}; give five "
            "probabilities that sum to 1, or none"
        )


def where(table: pa.Table, wrong: Any) -> str:
    """Describe the first row at which a mask is true, for a message."""
    i = pc.index(wrong, True).as_py()
    return f"row {i + 1} ({_named(table, i)})"


def _named(table: pa.Table, i: int) -> str:
    """Name an epoch by its corpus, recording and number, as far as these are present."""
    names = (table[name][i].as_py() for name in ("corpus", "recording"))
    return " ".join([*filter(None, names), f"epoch {table['epoch'][i].as_py()}"])
