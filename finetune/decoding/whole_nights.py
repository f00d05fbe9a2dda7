"""Whole nights: the pages of each recording of a file of predictions, in order of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.finetune.decoding.transitions import Chain, Transitions


@dataclass(frozen=True, eq=False)
class WholeNight:
    """The pages of a recording that have probabilities.

    Parameters
    ----------
    rows, epochs : (n,)
        Their rows in the file, and the numbers of their epochs, ascending.
    chain
        How stages follow each other in epochs of this length.
    """

    rows: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int64]
    chain: Chain


def of(table: pa.Table, known: npt.NDArray[np.bool_], transitions: Transitions) -> list[WholeNight]:
    """Return the nights of a table of predictions, in any order of its rows.

    Parameters
    ----------
    known : (n,)
        Rows that have probabilities; time without them is a gap.

    Raises
    ------
    BuildError
        If no transitions were counted for epochs of such a length.
    """
    codes = [
        pc.dictionary_encode(table[name]).combine_chunks().indices.to_numpy()
        for name in ("corpus", "recording")
    ]
    epochs = table["epoch"].to_numpy().astype(np.int64)
    lengths_s = pc.fill_null(table["epoch_s"], PAGE_S).to_numpy()
    order = np.lexsort((epochs, *codes))
    order = order[known[order]]
    ends = np.flatnonzero(np.any([np.diff(code[order]) != 0 for code in codes], axis=0)) + 1
    chains: dict[float, Chain] = {}
    nights = []
    for rows in np.split(order, ends) if len(order) else ():
        length_s = float(lengths_s[rows[0]])
        if length_s not in chains:
            chains[length_s] = transitions.chain(length_s)
        nights.append(WholeNight(rows, epochs[rows], chains[length_s]))
    return nights
