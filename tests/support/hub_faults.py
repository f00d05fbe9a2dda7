"""Faults: what goes wrong on the test Hub, and when. Also calls a test's own function on the way."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Drop = Literal["request", "response"]
Moment = Literal["start", "middle", "done"]


@dataclass
class Fault:
    """One thing that is to go wrong with requests that match, after `skip` of them, `times` times."""

    match: str
    skip: int
    times: int
    status: int | None = None
    retry_after: int | None = None
    drop: Drop | None = None
    call: Callable[[], None] | None = None
    at: Moment = "start"

    def takes(self, request: str) -> bool:
        """Whether this request is one of those meant; counts it."""
        if self.times == 0 or not re.search(self.match, request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    """The faults still to come. `match` is a pattern for `METHOD /path?query`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(
        self,
        match: str,
        *,
        status: int | None = None,
        drop: Drop | None = None,
        times: int = 1,
        skip: int = 0,
        retry_after: int | None = None,
    ) -> None:
        """Answer with `status` and do nothing else, or break the connection.

        `drop="request"` breaks it when half of the body has come in, and nothing is done;
        `drop="response"` does what was asked and breaks it in the middle of the answer.
        """
        if (status is None) == (drop is None):
            raise ValueError("a fault is either a status or a drop")
        self._add(Fault(match, skip, times, status, retry_after, drop))

    def call(
        self, match: str, function: Callable[[], None], *, nth: int = 1, at: Moment = "start"
    ) -> None:
        """Call a function on the nth request that matches, counted from now.

        `at` is "start" (before the body is read), "middle" (half of the body is in), or "done"
        (what was asked is done, and not yet answered). The request waits for the function.
        """
        self._add(Fault(match, nth - 1, 1, call=function, at=at))

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def of(self, request: str) -> list[Fault]:
        """What befalls this request: the calls, and at most one fault, the one added first."""
        with self._lock:
            calls = [f for f in self._waiting if f.call is not None and f.takes(request)]
            fault = next((f for f in self._waiting if f.call is None and f.takes(request)), None)
            return calls if fault is None else [*calls, fault]

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
