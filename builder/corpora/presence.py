"""Presence: tells a recording that is missing from a corpus that is no longer there.

A network folder can vanish in the middle of a build: unplugged, remounted empty, or with an expired
ticket. Every further recording then fails, and a dataset without them would look finished. One
missing recording is set aside; a missing corpus ends the command, which can be resumed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass

from psgimg.builder.corpora.sources import Source
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.fingerprint import files_of
from psgimg.builder.recordings.recording import Recording

ABSENT = (errno.ENOENT, errno.ENOTDIR)
LOST = frozenset(
    {
        *ABSENT,
        errno.EIO,
        errno.ENXIO,
        errno.ENODEV,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
    }
)
"""Errors of a file that is gone or out of reach, and not merely unreadable for this user."""

MANY = 5
"""Recordings lost one after another that end a build at once, wherever they stand in it."""

FEW = 2
"""Recordings lost one after another that end a build if none could be read after them."""


@dataclass
class _Streak:
    """The recordings of a corpus that were lost one after another, up to now."""

    length: int = 0
    last: str = ""


class Presence:
    """Watches whether the corpora of a build stay on disk.

    Parameters
    ----------
    located
        The corpora with their folders.
    """

    def __init__(self, located: Sequence[Source]) -> None:
        self._roots = {one.corpus.name: one.root for one in located}
        self._fetched = {one.corpus.name for one in located if one.listing}
        self._streaks = {name: _Streak() for name in self._roots}

    def readable(self, recording: Recording) -> None:
        """Report that a recording could be read."""
        self._streaks[recording.corpus] = _Streak()

    def failed(self, recording: Recording, error: int | None) -> None:
        """Report that a recording could not be used.

        Parameters
        ----------
        error
            ``errno`` of the system error behind it, if there was one.

        Raises
        ------
        BuildError
            If the corpus is no longer there.
        """
        if recording.corpus in self._fetched:  # its folder is filled and emptied night by night
            return
        if error in (None, *ABSENT):  # a reader may look for files that never existed
            error = _error(recording)
        if error is None:
            self.readable(recording)
            return
        self.require(recording.corpus)
        if error in LOST:
            streak = self._streaks[recording.corpus]
            streak.length += 1
            streak.last = f"{recording.signal.name} ({os.strerror(error)})"
            if streak.length >= MANY:
                raise _vanished(recording.corpus, streak)

    def require(self, corpus: str) -> None:
        """Check that the folder of a corpus can be listed and is not empty, as an unmounted one is.

        Raises
        ------
        BuildError
            If it is not.
        """
        root = self._roots[corpus]
        if corpus in self._fetched:
            return
        try:
            with os.scandir(root) as entries:
                reason = "" if next(entries, None) else "it is empty"
        except OSError as error:
            reason = error.strerror or str(error)
        if reason:
            raise BuildError(
                f"{corpus}: the folder {root} is no longer there ({reason}); connect it again and "
                "run the same command again: finished recordings are kept"
            )

    def close(self) -> None:
        """Report that all recordings were tried.

        Raises
        ------
        BuildError
            If the last ones of a corpus were lost one after another.
        """
        for corpus, streak in self._streaks.items():
            if streak.length >= FEW:
                raise _vanished(corpus, streak)


def system_error(error: BaseException | None) -> int | None:
    """Return the ``errno`` of the system error that caused an exception; None if none did."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__
    return None


def _error(recording: Recording) -> int | None:
    """Return the ``errno`` of the first file of a recording that can't be reached."""
    for path in files_of(recording):
        try:
            path.stat()
        except OSError as error:
            return error.errno
    return None


def _vanished(corpus: str, streak: _Streak) -> BuildError:
    return BuildError(
        f"{corpus}: {streak.length} recordings one after another are no longer there, the last one "
        f"{streak.last}; check the folder or remove them from it, then run the same command again: "
        "finished recordings are kept"
    )
