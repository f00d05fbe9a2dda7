"""Fold checks: a model of a cross-validation is shown no fold that it learned from."""

from __future__ import annotations

from collections.abc import Mapping

from psgimg.builder.errors import BuildError
from psgimg.finetune.data.source import Source

TRAINING = "train"
"""Part of a fold, or split, that whoever asks for it knows to be the training pages."""


def check(
    model: str, trained: Mapping[str, int] | None, source: Source, n_leaked: int, n_subjects: int
) -> None:
    """Refuse pages of another fold than the model's, and people it learned from as if held out.

    Parameters
    ----------
    trained
        ``fold`` of the model's ``psgimg.json``; None if it was trained on the train split.
    n_leaked, n_subjects
        Number of subjects of the pages that the model learned from, and of all.

    Raises
    ------
    BuildError
        If figures on these pages would say nothing about new people.
    """
    asked = source.fold
    if asked and trained and asked.values() != dict(trained):
        raise BuildError(
            f"{model} was trained for fold {trained['number']} of {trained['of']}, so it has learned from "
            f"fold {asked.number} of {asked.of}; use --fold {trained['number']}, or the model that "
            f"`psgimg sft --fold {asked.number}` trains"
        )
    if not n_leaked or source.split == TRAINING:
        return
    people = f"{n_leaked} of {n_subjects} subjects of {source} were used for its training"
    if asked is None:
        if trained is None:  # `predict` notes it
            return
        remedy = f"it was trained for a fold, so pass --fold {trained['number']}"
    elif trained:
        remedy = "the folds are others than those that it was trained with; train it again"
    else:
        remedy = f"train a model for this fold, `psgimg sft --fold {asked.number}`"
    raise BuildError(f"{model}: {people}; {remedy}")
