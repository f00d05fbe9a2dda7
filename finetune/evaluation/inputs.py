"""Inputs: the predictions that an evaluation is of, from files as its options say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from psgimg.finetune.evaluation import (
    against_scoring,
    joining,
    predictions_file,
    stage_words,
)
from psgimg.finetune.evaluation.epochs import Epochs
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.evaluation.joining import Joined
from psgimg.finetune.evaluation.other_tools import tool_predictions
from psgimg.finetune.evaluation.uncertainty import combining
from psgimg.finetune.evaluation.uncertainty.combining import Combination


@dataclass(frozen=True, eq=False)
class Inputs:
    """Predictions to evaluate, and to compare with.

    Parameters
    ----------
    first, name
        The predictions, and the name of their file.
    others, names
        Predictions of the same epochs that are compared with them, and the names of their files.
    joined
        The files that were joined; None if none were.
    combination
        The ensemble; None if there is none.
    made
        The predictions as a table, if the command writes them.
    notes
        What a reader should know of how they were made, one line each.
    """

    first: Epochs
    name: str
    others: tuple[Epochs, ...] = ()
    names: tuple[str, ...] = ()
    joined: Joined | None = None
    combination: Combination | None = None
    made: pa.Table | None = None
    notes: tuple[str, ...] = ()


def read(config: EvaluateConfig) -> Inputs:
    """Read the files of an evaluation.

    Raises
    ------
    BuildError
        If a file is not what the options say it is, or files do not go together.
    """
    names, codes = file_names(config.files), config.stages_of
    if config.against is not None:
        return _against(config.files[0], config.against, config)
    if config.join:
        first, joined = joining.read(config.files, names, codes)
        return Inputs(first, names[0], joined=joined, notes=tuple(joined.notes()))
    if config.made is None:
        first, *others = [predictions_file.read(path, codes) for path in config.files]
        return Inputs(first, names[0], tuple(others), tuple(names[1:]))
    path, name = config.made, config.made.name
    if config.tool is None:
        found = combining.read(config.files, names, codes, path)
        note = f"The mean probabilities of {len(names)} files: {', '.join(names)}."
        return Inputs(
            found.data,
            name,
            found.members,
            found.names,
            combination=found,
            made=combining.table(found.data),
            notes=(note,),
        )
    assert config.labels is not None
    theirs = tool_predictions.read(config.tool, config.files, config.labels, codes)
    first = predictions_file.of_table(theirs.table, path)
    source = theirs.source
    return Inputs(replace(first, source=source), name, made=theirs.table, notes=theirs.notes)


def _against(path: Path, scoring: Path, config: EvaluateConfig) -> Inputs:
    """Read a staged night and a scoring of it; recordings that disagree with their files are refused."""
    codes = stage_words.scores(config.stages_of)
    found = against_scoring.read(path, scoring, config.scoring_format, codes)
    first = predictions_file.of_table(found.table, path)
    note = f"A staged night against one scoring of it: {scoring.name}."
    name = against_scoring.folder(path).resolve().name
    return Inputs(replace(first, source=found.source), name, notes=(note, *found.notes))


def file_names(paths: Sequence[Path]) -> list[str]:
    """Return the file names, prefixed with as many parent folders as needed to be unique."""
    most = max(len(path.parts) for path in paths)
    for n in range(1, most + 1):
        names = [Path(*path.parts[-n:]).as_posix() for path in paths]
        if len(set(names)) == len(set(paths)):
            return names
    return [path.as_posix() for path in paths]
