"""Patience: how long a request is repeated. Only what comes for the first time earns more of it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator

ATTEMPTS = 4
"""Fewest attempts at a file of which a part has come: a slow server may need long for each."""


class Patience:
    """How long one request is repeated, which begins now."""

    def __init__(self) -> None:
        self._start_s = self._advanced_s = time.monotonic()
        self._most = self._n_failed = 0

    @property
    def n_failed(self) -> int:
        """Failed attempts since something new came, on which the next wait depends."""
        return self._n_failed

    def counting(self, chunks: Iterable[bytes], n_bytes: int = 0) -> Iterator[bytes]:
        """Yield the pieces of a file, of which some bytes are there, and count those that are new."""
        for chunk in chunks:
            n_bytes += len(chunk)
            if n_bytes > self._most:
                self._most, self._n_failed = n_bytes, 0
                self._advanced_s = time.monotonic()
            yield chunk

    def after_failure(self, seconds: float) -> float:
        """Return the seconds since the first attempt after which this failure is final.

        Parameters
        ----------
        seconds
            How long a request is repeated without anything new.
        """
        self._n_failed += 1
        if self._most and self._n_failed < ATTEMPTS:
            return math.inf
        return self._advanced_s - self._start_s + seconds
