"""POPS files: stages of Luna's POPS by epoch, as `destrat out.db +POPS -r E` and lunapi give them.

By Luna's own description of the table (lunapi 1.7.0, command POPS by E) and its source
(``pops/indiv.cpp``): a head and the columns ID, E (epoch, from 1), CONF, FLAG, PP_N1, PP_N2, PP_N3, PP_R,
PP_W, PRED, PRIOR, START and STOP, separated by tabs, in any order. Only ID, E and PRED are needed, so
that the table of EVAL-STAGES is read as well. An epoch that Luna excluded has FLAG -1 and no PRED. One
file may have many recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.other_tools import staged
from psgimg.finetune.evaluation.other_tools.staged import MOST_EPOCHS, Probabilities, Staged, Stages
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER

SUFFIXES = (".txt", ".tsv", ".csv")
NEEDED = ("ID", "E", "PRED")
PROBABILITIES = ("PP_W", "PP_N1", "PP_N2", "PP_N3", "PP_R")
NONE = ("", "NA", ".", "?", "NaN", "nan")
STAGES = {
    **{name: i for i, name in enumerate(STAGE_NAMES)},
    "R": 4,
    **dict.fromkeys(NONE, NO_ANSWER),
}


def read(path: Path) -> list[Staged]:
    """Read a table of POPS, which may have several recordings.

    Raises
    ------
    BuildError
        If it is none, or has an epoch twice.
    """
    return staged.read(path, _table)


def _table(path: Path) -> list[Staged]:
    rows = staged.table(path)
    head = rows[0]
    if missing := [name for name in NEEDED if name not in head]:
        raise ValueError(f"no column {missing[0]}; write it with destrat out.db +POPS -r E")
    names = staged.column(rows, head.index("ID"))
    if not names:
        raise ValueError("no epochs")
    epochs = np.array(staged.column(rows, head.index("E")), np.int64) - 1
    if ((epochs < 0) | (epochs >= MOST_EPOCHS)).any():
        raise ValueError(f"the epoch {epochs[(epochs < 0) | (epochs >= MOST_EPOCHS)][0] + 1}")
    stages = staged.codes(staged.column(rows, head.index("PRED")), STAGES, path)
    odds = None
    if set(PROBABILITIES) <= set(head):
        own = [_numbers(staged.column(rows, head.index(name))) for name in PROBABILITIES]
        odds = staged.normalised(np.stack(own, axis=1), path)
    _, first, which = np.unique(np.array(names), return_index=True, return_inverse=True)
    order = np.argsort(which, kind="stable")
    by_name = np.split(order, np.searchsorted(which[order], np.arange(1, len(first))))
    return [
        Staged(
            path,
            names[mine[0]],
            *_whole(epochs[mine], stages[mine], None if odds is None else odds[mine]),
        )
        for mine in sorted(by_name, key=lambda mine: int(mine[0]))
    ]


def _whole(
    epochs: Stages, stages: Stages, odds: Probabilities | None
) -> tuple[Stages, Probabilities | None]:
    """Return stages and probabilities of all epochs from 0, those that are not listed without any.

    Raises
    ------
    ValueError
        If an epoch is listed twice.
    """
    if len(np.unique(epochs)) < len(epochs):
        raise ValueError("a recording has an epoch twice; write the table of one model")
    n_epochs = int(epochs.max()) + 1
    whole = np.full(n_epochs, NO_ANSWER)
    whole[epochs] = stages
    if odds is None:
        return whole, None
    all_odds = np.full((n_epochs, N_STAGES), np.nan)
    all_odds[epochs] = odds
    return whole, all_odds


def _numbers(cells: Sequence[str]) -> list[float]:
    return [np.nan if cell in NONE else float(cell) for cell in cells]
