"""Paired: two predictions of the same epochs, and how sure their difference is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.epochs import LAST_EPOCH, Epochs, confusions
from psgimg.finetune.evaluation.intervals import as_values, differences

Rows = npt.NDArray[np.int64]


def compare(first: Epochs, second: Epochs, rounds: int, seed: int) -> dict[str, Any]:
    """Figures of both and their difference, second minus first, with an interval over subjects.

    Raises
    ------
    BuildError
        If the files are not of the same epochs, or disagree on what was scored.
    """
    order = _matched(first, second)
    _check_labels(first, second, order)
    subjects = first.subjects()
    tables = [
        confusions(subjects, first.label, prediction)
        for prediction in (first.prediction, second.prediction[order])
    ]
    found = differences(*tables, rounds=rounds, seed=seed)
    return {"epochs": len(first), "figures": as_values(found)}


def _matched(first: Epochs, second: Epochs) -> Rows:
    """Rows of ``second`` in the order of ``first``."""
    with_corpus = first.has_corpus and second.has_corpus
    names: dict[tuple[str, str], int] = {}
    keys = [_keys(epochs, names, with_corpus) for epochs in (first, second)]
    for there, other, lacks in ((first, second, keys), (second, first, keys[::-1])):
        missing = np.flatnonzero(~np.isin(lacks[0], lacks[1], assume_unique=True))
        if missing.size:
            recording = there.recordings[there.recording[missing[0]]].recording
            raise BuildError(
                f"{other.path} lacks {missing.size} of the {len(there)} epochs of {there.path} "
                f"(the first is {recording} epoch {there.epoch[missing[0]]}); compare predictions "
                "of the same epochs"
            )
    order = np.argsort(keys[1])
    return np.asarray(order[np.searchsorted(keys[1], keys[0], sorter=order)], np.int64)


def _keys(epochs: Epochs, names: dict[tuple[str, str], int], with_corpus: bool) -> Rows:
    """A number an epoch, the same in both files; ``names`` grows by recordings not yet known.

    A plain file says no corpus: then the names of the recordings have to do.
    """
    own = [(key.corpus if with_corpus else "", key.recording) for key in epochs.recordings]
    if len(set(own)) < len(own):
        twice = next(name for name in own if own.count(name) > 1)[1]
        raise BuildError(
            f"{epochs.path}: several corpora have a recording {twice}; give both files a column "
            "corpus"
        )
    codes = np.array([names.setdefault(name, len(names)) for name in own], np.int64)
    return np.asarray(codes[epochs.recording] * (LAST_EPOCH + 1) + epochs.epoch, np.int64)


def _check_labels(first: Epochs, second: Epochs, order: Rows) -> None:
    wrong = np.flatnonzero(first.label != second.label[order])
    if wrong.size:
        row = wrong[0]
        recording = first.recordings[first.recording[row]].recording
        raise BuildError(
            f"{first.path} and {second.path} disagree on the label of {wrong.size} epochs "
            f"({recording} epoch {first.epoch[row]}: {STAGE_NAMES[first.label[row]]} and "
            f"{STAGE_NAMES[second.label[order][row]]}); compare with the same scorer"
        )
