"""U-Sleep files: hypnograms of `ut predict`, `ut predict_one` and the service at sleep.ai.ku.dk.

Formats by the source of U-Time (``utime/bin/predict.py``, ``predict_one.py``; stages by
``psg_utils/_defaults.py``: 0 to 4 are W, N1, N2, N3, REM, 5 is unknown):

- ``NAME_PRED.npy`` and ``.npy``: (n,) or (n, 1) whole numbers, or where it keeps
  them (n, 5) probabilities, which are sums over groups of channels;
- ``.tsv`` with the head ``init_sec duration_sec stage``, and ``.ids`` with the same columns and commas,
  without a head: one row for each run of a stage;
- ``.hyp``: one stage a line.

The files name neither the recording nor the length of an epoch. Runs are read at any resolution: an
epoch of 30 s has the stage of most of its seconds, of equally many the first of W, N1, N2, N3, REM. The
other forms must have one stage for every 30 s, as by default.
"""

from __future__ import annotations

import tokenize
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.other_tools import staged
from psgimg.finetune.evaluation.other_tools.staged import EPOCH_S, MOST_EPOCHS, Staged, Stages
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER

SUFFIXES = (".npy", ".tsv", ".ids", ".hyp", ".txt")
SCORED = "_TRUE"
"""End of the names of files with the scorer's stages, which `ut predict` may write beside its own."""

STAGES = {**{name: i for i, name in enumerate(STAGE_NAMES)}, "UNKNOWN": NO_ANSWER}
HEAD = ["init_sec", "duration_sec", "stage"]
MOST_BYTES = 16_000_000


def read(path: Path) -> list[Staged]:
    """Read a file of U-Sleep's.

    Raises
    ------
    BuildError
        If it is none, or has more stages than one for every 30 s.
    """
    return staged.read(path, _array if path.suffix == ".npy" else _text)


def _array(path: Path) -> list[Staged]:
    if path.stat().st_size > MOST_BYTES:
        raise BuildError(
            f"{path} has more than {MOST_BYTES // 1_000_000} MB; write one stage for every 30 s"
        )
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (SyntaxError, tokenize.TokenError) as error:  # NumPy parses the head as Python
        raise ValueError("no array of NumPy's") from error
    if values.ndim == 2 and values.shape[1] == N_STAGES:
        odds = staged.normalised(values, path)
        return [Staged(path, path.stem, staged.likeliest(odds), odds)]
    whole = values.reshape(-1)
    if values.size != len(values) or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"an array of shape {values.shape} and type {values.dtype}")
    if ((whole < 0) | (whole > N_STAGES)).any():
        raise ValueError(f"the stage {whole[(whole < 0) | (whole > N_STAGES)][0]}")
    stages = np.where(whole == N_STAGES, NO_ANSWER, whole.astype(np.int64))
    return [Staged(path, path.stem, stages)]


def _text(path: Path) -> list[Staged]:
    rows = staged.table(path)
    if len(rows[0]) == 1:
        return [Staged(path, path.stem, staged.codes([row[0] for row in rows], STAGES, path))]
    if len(rows[0]) != len(HEAD):
        raise ValueError(f"{len(rows[0])} columns in the first line")
    runs = rows if rows[0] == HEAD else [HEAD, *rows]
    init_s, duration_s = (np.array(staged.column(runs, i), np.float64) for i in (0, 1))
    stages = staged.codes(staged.column(runs, 2), STAGES, path)
    return [Staged(path, path.stem, by_epoch(init_s, duration_s, stages))]


def by_epoch(
    init_s: npt.NDArray[np.float64], duration_s: npt.NDArray[np.float64], stages: Stages
) -> Stages:
    """Return (n_epochs,) the stage of most seconds of each epoch of 30 s.

    An epoch of which less than half is covered has none, and is left out at the end.

    Parameters
    ----------
    init_s, duration_s, stages : (n_runs,)
        The runs in order of time, which do not overlap.

    Raises
    ------
    ValueError
        If runs are not in order, overlap or have no length.
    """
    end_s = init_s + duration_s
    if not (np.isfinite(end_s).all() and (init_s >= 0).all() and (duration_s > 0).all()):
        raise ValueError("a run without a start and a length in seconds")
    if (init_s[1:] < end_s[:-1] - 1e-6).any():
        raise ValueError("runs that overlap or are not in order of time")
    n_epochs = round(float(end_s[-1]) / EPOCH_S) if len(end_s) else 0
    if n_epochs > MOST_EPOCHS:
        raise ValueError(f"runs until {end_s[-1]:g} s, more than a week")
    edges_s = np.arange(n_epochs + 1, dtype=np.float64) * EPOCH_S
    spent_s = np.stack(
        [_spent(edges_s, init_s, end_s, stages == stage) for stage in range(N_STAGES)], axis=1
    )
    return np.where(spent_s.sum(axis=1) >= EPOCH_S / 2, spent_s.argmax(axis=1), NO_ANSWER)


def _spent(
    edges_s: npt.NDArray[np.float64],
    init_s: npt.NDArray[np.float64],
    end_s: npt.NDArray[np.float64],
    mask: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Return (n_epochs,) the seconds of each epoch that lie in the runs of a mask."""
    if not np.any(mask):
        return np.zeros(len(edges_s) - 1)
    times_s = np.stack([init_s[mask], end_s[mask]], axis=1).ravel()
    until_s = np.cumsum(np.diff(times_s, prepend=times_s[0]) * (np.arange(len(times_s)) % 2))
    return np.diff(np.interp(edges_s, times_s, until_s))
