"""Turns: requests to a server, few at a time and with pauses, whichever part of a command makes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_OF_SERVERS: dict[str, Turns] = {}
_LOCK = threading.Lock()


class Turns:
    """The requests of this process to one server: at most ``connections`` at a time."""

    def __init__(self, connections: int) -> None:
        self._slots = threading.BoundedSemaphore(connections)
        self._lock, self._next_s = threading.Lock(), 0.0

    @contextmanager
    def taken(self, pause_s: float, closed: threading.Event) -> Iterator[None]:
        """Hold one of the connections, once it is this request's turn.

        Parameters
        ----------
        pause_s
            Shortest time to the beginning of the next request.
        closed
            Ends the waiting.

        Raises
        ------
        ConnectionAbortedError
            If ``closed`` is set.
        """
        with self._slots:
            with self._lock:
                now_s = time.monotonic()
                begin_s = max(now_s, self._next_s)
                self._next_s = begin_s + pause_s
            if closed.wait(begin_s - now_s):
                raise ConnectionAbortedError("the command is ending")
            yield

    def rest(self, seconds: float) -> None:
        """Begin no request for some time, as the server has asked for."""
        with self._lock:
            self._next_s = max(self._next_s, time.monotonic() + seconds)


def of(server: str, connections: int) -> Turns:
    """Return the turns at a server, the same for every corpus that comes from it."""
    with _LOCK:
        return _OF_SERVERS.setdefault(server, Turns(connections))
