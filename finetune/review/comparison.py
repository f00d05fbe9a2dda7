"""Comparison: the reviewed stages of a night beside those of a second scoring."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora import scoring_grid
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.stages import Stage
from psgimg.builder.unscored_night import Grid, UnscoredNight
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.review.review_config import ReviewConfig

Stages = npt.NDArray[np.int64]


def read(
    path: Path, config: ReviewConfig, night: UnscoredNight, grid: Grid
) -> tuple[Stages, tuple[str, ...]]:
    """Return (n,) the stages of a second scoring on the epochs of a night, and notes on it.

    Each epoch takes the stage of the scoring's epoch in which its middle lies.

    Raises
    ------
    BuildError
        If its epochs have another length.
    RecordingError
        If it can't be read.
    """
    form, codes = config.scoring_format, config.stages_of
    scored = scoring_grid.read(path, night.path, night.start, form, codes)
    if abs(scored.epoch_s - grid.epoch_s) > TOLERANCE_S:
        raise BuildError(
            f"{path.name} has epochs of {scored.epoch_s:g} s, the night has epochs of "
            f"{grid.epoch_s:g} s; give a scoring with the same"
        )
    onsets_s = np.array(scored.onsets_s)
    middles_s = np.array(grid.onsets_s) + grid.epoch_s / 2
    stages = np.array([score if isinstance(score, Stage) else UNSCORED for score in scored.scores])
    place = np.searchsorted(onsets_s, middles_s, "right") - 1
    inside = (place >= 0) & (middles_s < onsets_s[place] + scored.epoch_s)
    notes = tuple(f"{path.name}: {note}" for note in scored.notes)
    return np.where(inside, stages[place], UNSCORED), notes


def agreement(stages: Stages, against: Stages) -> dict[str, Any]:
    """Return how two scorings agree on the epochs to which both give a stage, as JSON values.

    ``confusion`` has a row for each stage of the second scoring, and a column for each stage as
    reviewed; ``differences`` are the places of epochs in the night.
    """
    both = (stages != UNSCORED) & (against != UNSCORED)
    table = metrics.confusion(against[both], stages[both])
    return {
        "n": int(both.sum()),
        "only_here": int(((stages != UNSCORED) & ~both).sum()),
        "only_there": int(((against != UNSCORED) & ~both).sum()),
        "accuracy": _plain(metrics.accuracy(table)),
        "kappa": _plain(metrics.kappa(table)),
        "confusion": table[:, : metrics.N_STAGES].tolist(),
        "differences": np.flatnonzero(both & (stages != against)).tolist(),
    }


def _plain(value: metrics.Values) -> float | None:
    number = float(value)
    return round(number, 4) if isfinite(number) else None
