"""Paired: differences between two predictions files on the same epochs, with their intervals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.epochs import LAST_EPOCH, Epochs, confusions
from psgimg.finetune.evaluation.intervals import as_values, differences

Rows = npt.NDArray[np.int64]


def compare(first: Epochs, second: Epochs) -> dict[str, Any]:
    """Return the metrics of both files and their difference, second − first, with intervals.

    Raises
    ------
    BuildError
        If the files do not cover the same epochs, or disagree on the scored stages.
    """
    order = matched(first, second)
    check_labels(first, second, order)
    subjects = first.subjects()
    tables = [
        confusions(subjects, first.label, prediction)
        for prediction in (first.prediction, second.prediction[order])
    ]
    figures = differences(*tables)
    return {"epochs": len(first), "figures": as_values(figures)}


def matched(first: Epochs, second: Epochs) -> Rows:
    """Return the rows of ``second`` that match those of ``first``, in the order of ``first``.

    Raises
    ------
    BuildError
        If the files do not cover the same epochs.
    """
    with_corpus = first.has_corpus and second.has_corpus
    names: dict[tuple[str, str], int] = {}
    keys = [_keys(epochs, names, with_corpus) for epochs in (first, second)]
    if np.array_equal(keys[0], keys[1]):  # as in two files that psgimg wrote of the same pages
        return np.arange(len(first))
    for one, other, (own, its) in ((first, second, keys), (second, first, keys[::-1])):
        missing = np.flatnonzero(~np.isin(own, its, assume_unique=True))
        if missing.size:
            recording = one.recordings[one.recording[missing[0]]].recording
            raise BuildError(
                f"{other.path} lacks {missing.size} of the {len(one)} epochs of {one.path} "
                f"(the first is {recording} epoch {one.epoch[missing[0]]}); compare predictions "
                "of the same epochs"
            )
    order = np.argsort(keys[1])
    return np.asarray(order[np.searchsorted(keys[1], keys[0], sorter=order)], np.int64)


def _keys(epochs: Epochs, names: dict[tuple[str, str], int], with_corpus: bool) -> Rows:
    """Return an integer per epoch that is the same in both files; adds new recordings to ``names``.

    If a file has no corpus column, recordings are matched by their names alone.
    """
    own = [(key.corpus if with_corpus else "", key.recording) for key in epochs.recordings]
    if len(set(own)) < len(own):
        twice = Counter(own).most_common(1)[0][0][1]
        raise BuildError(
            f"{epochs.path}: several corpora have a recording {twice}; add a column corpus to both "
            "files"
        )
    codes = np.array([names.setdefault(name, len(names)) for name in own], np.int64)
    return np.asarray(codes[epochs.recording] * (LAST_EPOCH + 1) + epochs.epoch, np.int64)


def check_labels(first: Epochs, second: Epochs, order: Rows) -> None:
    """Refuse files that disagree on the scored stages, given the matching rows of the second.

    Raises
    ------
    BuildError
        If they do.
    """
    wrong = np.flatnonzero(first.label != second.label[order])
    if wrong.size:
        row = wrong[0]
        recording = first.recordings[first.recording[row]].recording
        raise BuildError(
            f"{first.path} and {second.path} disagree on the label of {wrong.size} epochs "
            f"({recording} epoch {first.epoch[row]}: {STAGE_NAMES[first.label[row]]} and "
            f"{STAGE_NAMES[second.label[order][row]]}); use labels of the same scorer"
        )
