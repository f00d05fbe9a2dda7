"""Epoch lengths: the seconds of an epoch in each recording, as a predictions file states them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.page_index import RecordingKey

ASSUMED_S = 30.0
"""Length of an epoch by the AASM manual, used where a file does not state it."""

LONGEST_S = 60.0

Lengths = npt.NDArray[np.float64]


def stated(
    column: pa.ChunkedArray,
    recordings: Sequence[RecordingKey],
    recording: npt.NDArray[np.int32],
    path: Path,
) -> Lengths:
    """Return (n_recordings,) the length of an epoch in seconds; NaN where it is not stated.

    Parameters
    ----------
    column
        The column ``epoch_s``.
    recordings, recording
        The recordings, and the index of each row's recording.
    path
        The file, for messages.

    Raises
    ------
    BuildError
        If a length is impossible, or a recording has several.
    """
    lengths_s = np.asarray(column.to_numpy(), np.float64)
    first = np.full(len(recordings), np.nan)
    first[recording[::-1]] = lengths_s[::-1]
    for row in np.flatnonzero((lengths_s <= 0) | (lengths_s > LONGEST_S))[:1]:
        raise BuildError(
            f"{path}: {recordings[recording[row]].recording} has the epoch_s {lengths_s[row]:g}; "
            "give the length of an epoch in seconds, such as 30 or 20"
        )
    same = (lengths_s == first[recording]) | (np.isnan(lengths_s) & np.isnan(first[recording]))
    for row in np.flatnonzero(~same)[:1]:
        both = [f"{value:g}" for value in (first[recording[row]], lengths_s[row])]
        raise BuildError(
            f"{path}: {recordings[recording[row]].recording} has the epoch_s {both[0]} and {both[1]}; "
            "give a recording one length of its epochs"
        )
    return first


def assumed(lengths_s: Lengths) -> Lengths:
    """Return lengths with ``ASSUMED_S`` where none is stated."""
    return np.where(np.isnan(lengths_s), ASSUMED_S, lengths_s)
