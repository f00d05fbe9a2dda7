"""Explanation: the step of a study that explains the model of its first cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.finetune.study import command_words, step
from psgimg.finetune.study.step import Step


def explanation(
    path: Path, options: Mapping[str, Any], training: Step | None, prediction: Step
) -> Step:
    """Return the command that explains a cell's model on the pages that it was tested on.

    Raises
    ------
    BuildError
        If the cell's model is not trained by the study, or `psgimg explain` would refuse an option.
    """
    if training is None:
        raise BuildError(
            f"{path}: explain: the first cell trains no model; list a cell with training first"
        )
    command_words.check_explain(path, options)
    dataset = prediction.words[prediction.words.index("--dataset") + 1]
    words = ["explain", "--model", f"@/{training.made}", "--dataset", dataset]
    words += command_words.words("explain", options)
    return step.make(
        "explain", words, Path(training.made).name.rpartition("-")[0], prediction.needs
    )
