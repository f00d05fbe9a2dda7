"""Refusals: signals that a build can't use, as it has them already, or was not made from them."""

from __future__ import annotations

from collections.abc import Mapping

from psgimg.builder.dataset.config import Pinned
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.tasks import same_signal


def refuse_used_signal(used: Mapping[str, str], recording: Recording, signal: str) -> None:
    """Refuse a signal that is in the dataset under a name that is no longer on disk.

    Parameters
    ----------
    used
        Hash of a signal → the recording with it.

    Raises
    ------
    RecordingError
        If the signal is in ``used``.
    """
    if twin := used.get(signal):
        raise same_signal(recording.recording, twin)


def refuse_other_signal(pinned: Pinned | None, recording: Recording, signal: str) -> None:
    """Refuse a signal that differs from that of the dataset to rebuild.

    Raises
    ------
    RecordingError
        If it differs.
    """
    if pinned and pinned.signals[recording.key] != signal:
        raise RecordingError(
            "different signal",
            f"{recording.signal.name} differs from the file that the dataset was built from; "
            f"is this another release of {recording.corpus}, or a damaged copy? Get the file again",
        )
