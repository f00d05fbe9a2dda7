"""Night cells: cells of a study whose predictions are calibrated, and decoded night by night."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.finetune.decoding.decoded import DECODE, NIGHT, PAGE
from psgimg.finetune.study import command_words, grid, step
from psgimg.finetune.study.step import Step

VALIDATION = {"split": "validation"}
"""Options of the predictions that the calibration is fitted to."""


def is_night(path: Path, factors: Mapping[str, Any]) -> bool:
    """Return whether the nights of a cell are decoded.

    Raises
    ------
    BuildError
        If the value of the factor is unknown.
    """
    value = factors.get(grid.DECODE, PAGE)
    if value not in DECODE:
        raise BuildError(f"{path}: {grid.DECODE}: no value {value!r}; use {' or '.join(DECODE)}")
    return bool(value == NIGHT)


def decoded(
    prediction: Step, validation: Step, train: Step | str, pages: Mapping[str, Any]
) -> Step:
    """Return the step that decodes the predictions of a cell.

    Parameters
    ----------
    prediction, validation
        Predictions of the test pages, and of the validation split of the training data.
    train
        The dataset in whose train split transitions are counted.
    pages
        Which of its pages the cell has: those of a fold, or of a corpus.
    """
    words = ["calibrate", f"@/{validation.made}", "--apply", f"@/{prediction.made}"]
    words += ["--decode", NIGHT, "--dataset", step.place(train)]
    own = {name: value for name, value in pages.items() if name != "split"}
    words += command_words.words("calibrate", own)
    needs = step.only_steps(validation, prediction, train)
    return step.make("calibrate", words, prediction.own.rpartition("-")[0], needs, ".parquet")
