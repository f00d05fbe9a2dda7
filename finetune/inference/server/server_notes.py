"""Server notes: what a user is told of a server, each thing once or from time to time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AGAIN_S = 60.0
"""How long a server is waited for before that is said again."""


class ServerNotes:
    """Lines about a server, from any thread.

    Parameters
    ----------
    note
        Called with a line for the user.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note, self._lock = note, threading.Lock()
        self._waited_s = float("-inf")
        self._n_cut_off = 0

    def waiting(self, why: str, patience_s: float) -> None:
        """Say why requests are repeated, the first time and then once a minute."""
        with self._lock:
            now = time.monotonic()
            if now - self._waited_s < AGAIN_S:
                return
            self._waited_s = now
        self._note(f"waiting for the server, for up to {patience_s / 60:.2g} min: {why}")

    def unpredictable(self) -> None:
        """Say that the answers are drawn at random."""
        self._note(
            "the server accepts no temperature, so its answers may differ from one run to the next"
        )

    def cut_off(self, max_new_tokens: int) -> None:
        """Count an answer that reached its maximum length, and say so the first time."""
        with self._lock:
            self._n_cut_off += 1
            if self._n_cut_off > 1:
                return
        self._note(
            f"an answer was cut off after {max_new_tokens} tokens; raise --max-new-tokens, to some "
            "thousands for a model that reasons first"
        )

    def end(self) -> None:
        """Say how many answers were cut off."""
        if self._n_cut_off > 1:
            self._note(f"{self._n_cut_off} answers were cut off by --max-new-tokens")
