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
from psgimg.finetune.evaluation.other_tools.staged import MOST_EPOCHS, Staged
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
    epochs = np.array(staged.column(rows, head.index("E")), np.int64) - 1
    if ((epochs < 0) | (epochs >= MOST_EPOCHS)).any():
        raise ValueError(f"the epoch {epochs[(epochs < 0) | (epochs >= MOST_EPOCHS)][0] + 1}")
    stages = staged.codes(staged.column(rows, head.index("PRED")), STAGES, path)
    odds = None
    if set(PROBABILITIES) <= set(head):
        own = [_numbers(staged.column(rows, head.index(name))) for name in PROBABILITIES]
        odds = staged.normalised(np.stack(own, axis=1), path)
    found = []
    labels = np.array(names)
    for name in dict.fromkeys(names):
        mine = np.flatnonzero(labels == name)
        at = epochs[mine]
        if len(np.unique(at)) < len(at):
            raise ValueError(f"{name} has an epoch twice; write the table of one model")
        whole = np.full(int(at.max()) + 1, NO_ANSWER)
        whole[at] = stages[mine]
        own_odds = None
        if odds is not None:
            own_odds = np.full((len(whole), N_STAGES), np.nan)
            own_odds[at] = odds[mine]
        found.append(Staged(path, name, whole, own_odds))
    return found


def _numbers(cells: Sequence[str]) -> list[float]:
    return [np.nan if cell in NONE else float(cell) for cell in cells]
