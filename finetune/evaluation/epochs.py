"""Epochs: predictions with their scored stages as arrays, sorted by recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.data.page_index import RecordingKey
from psgimg.finetune.evaluation import epoch_lengths
from psgimg.finetune.metrics import metrics

LAST_EPOCH = 100_000
"""Upper bound of epoch numbers; larger ones are seconds, samples or dates."""


class SubjectKey(NamedTuple):
    """Identifies a subject: its corpus and its name within that corpus."""

    corpus: str
    subject: str


@dataclass(frozen=True, eq=False)
class Night:
    """The epochs of one recording in ascending order; see :class:`Epochs` for the fields."""

    epochs: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int8]
    predictions: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float64] | None
    epoch_s: float


@dataclass(frozen=True, eq=False)
class Pages:
    """What was predicted of each page by itself, before its night was decoded.

    Parameters
    ----------
    prediction : (n,) int8
        Stages, -1 without a valid answer.
    probabilities : (n, 5) float64
        NaN where a page has none.
    sequence : (n,) int8
        The likeliest sequence of stages of each night, -1 where a page has no probabilities.
    """

    prediction: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float64]
    sequence: npt.NDArray[np.int8]

    def ordered(self, rows: npt.NDArray[np.int64]) -> Pages:
        """Return some rows of them."""
        return Pages(self.prediction[rows], self.probabilities[rows], self.sequence[rows])


@dataclass(frozen=True, eq=False)
class Epochs:
    """Epochs of a file, sorted by corpus, subject, recording and epoch.

    Parameters
    ----------
    path
        The predictions file.
    source
        Contents of FILE.json beside the file; None if it does not exist.
    has_corpus
        Whether the file has a column ``corpus``; if not, every corpus is "".
    has_subject
        Whether the file has a column ``subject``; if not, each recording is a subject.
    recordings
        Recordings in the order of their rows.
    recording : (n,) int32
        Index into ``recordings``, ascending.
    epoch : (n,) int32
        Epoch number within the recording.
    label, prediction, label_2 : (n,) int8
        Stages, -1 without a valid answer or a second scorer.
    probabilities : (n, 5) float64 or None
        NaN where an epoch has none; None if no epoch has any.
    epochs_s : (n_recordings,) float64
        Length of the epochs of each recording in seconds; NaN where the file does not state it.
    unseen_lanes
        Absent lanes, as on no training page of the model → number of epochs.
    votes : (n, 5) int64 or None
        Number of scorers for each stage, 0 where an epoch has no votes; None if no epoch has any.
    renamed
        Word of the file → stage as which it was read, for words that are no names of stages.
    pages
        What was predicted of each page by itself; None unless nights were decoded.
    """

    path: Path
    source: Mapping[str, Any] | None
    has_corpus: bool
    has_subject: bool
    recordings: tuple[RecordingKey, ...]
    recording: npt.NDArray[np.int32]
    epoch: npt.NDArray[np.int32]
    label: npt.NDArray[np.int8]
    prediction: npt.NDArray[np.int8]
    label_2: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float64] | None
    epochs_s: npt.NDArray[np.float64]
    unseen_lanes: Mapping[str, int] = field(default_factory=dict)
    votes: npt.NDArray[np.int64] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    pages: Pages | None = None

    def __len__(self) -> int:
        return len(self.label)

    def parts(self) -> Iterator[tuple[RecordingKey, slice]]:
        """Yield each recording with the slice of its rows."""
        ends = np.searchsorted(self.recording, np.arange(len(self.recordings)), side="right")
        yield from zip(self.recordings, _slices(ends), strict=True)

    def nights(self) -> Iterator[Night]:
        """Yield the epochs of each recording, in the order of ``recordings``."""
        lengths_s = epoch_lengths.assumed(self.epochs_s).tolist()
        for (_, rows), epoch_s in zip(self.parts(), lengths_s, strict=True):
            odds = None if self.probabilities is None else self.probabilities[rows]
            stages = (self.label[rows], self.prediction[rows])
            yield Night(self.epoch[rows], *stages, odds, epoch_s)

    def subjects(self) -> dict[SubjectKey, slice]:
        """Return each subject with the slice of the rows of all its recordings."""
        slices: dict[SubjectKey, slice] = {}
        for key, rows in self.parts():
            subject = SubjectKey(key.corpus, key.subject)
            slices[subject] = slice(slices.get(subject, rows).start, rows.stop)
        return slices


def confusions(
    groups: Mapping[SubjectKey, slice],
    labels: npt.NDArray[np.integer],
    others: npt.NDArray[np.integer],
    where: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """Return one confusion table per group of rows.

    Parameters
    ----------
    groups
        Subject → slice of its rows.
    labels, others
        (n,) stages to compare.
    where
        (n,) mask of the rows to count; all if None.

    Returns
    -------
    (n_groups, 5, 6) counts.
    """
    kept = np.ones(len(labels), np.bool_) if where is None else where
    return np.array(
        [metrics.confusion(labels[s][kept[s]], others[s][kept[s]]) for s in groups.values()]
    )


def _slices(ends: npt.NDArray[np.integer]) -> Iterator[slice]:
    return map(slice, [0, *ends.tolist()[:-1]], ends.tolist())
