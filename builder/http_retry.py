"""HTTP retry: which request failures are transient, how long to wait, and when to give up.

The same rules apply to the Hub and to a model server.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import tenacity

TRANSIENT_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
"""Timeout, too early, too many requests, and every server error."""

PERMANENT_ERRORS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
"""Transport errors that retrying can't fix: the address or the request is wrong."""

FIRST_WAIT_S, SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.5, 0.1, 60
"""The first wait, doubled after each attempt, and the bounds of every wait that the server does not ask for."""

LONGEST_REQUESTED_S = 900
"""The longest wait that a server can ask for; a request that it asks to hold back for longer comes too early."""

ATTEMPTS = 4
"""Fewest attempts at a file of which a part has come: a slow server may need long for each."""


class Patience:
    """How long a download is repeated, which begins now: only new bytes earn more of it."""

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


def is_transient(error: BaseException) -> bool:
    """Return whether the same request may succeed later.

    Parameters
    ----------
    error
        Exception raised by a request, or an exception that wraps it.
    """
    error = root_cause(error)
    response = response_of(error)
    if response is not None:
        return response.status_code in TRANSIENT_STATUSES
    lost = isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError)
    return lost and not isinstance(error, PERMANENT_ERRORS)


def root_cause(error: BaseException) -> BaseException:
    """Return the request's own exception, which a client may have wrapped in others."""
    while not isinstance(error, httpx2.HTTPError) and error.__cause__:
        error = error.__cause__
    return error


def response_of(error: BaseException) -> httpx2.Response | None:
    """Return the server's response attached to an error of httpx2 or of a client built on it."""
    response = getattr(error, "response", None)
    return response if isinstance(response, httpx2.Response) else None


def retry_after_s(response: httpx2.Response) -> float | None:
    """Return the wait requested by ``Retry-After``, in seconds; None if there is none.

    The header gives seconds or an HTTP date. A date is compared with the server's own clock if the
    response has a ``Date``.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until = _date(value)
    if until is None:
        return None
    now = _date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def requested_wait(error: BaseException) -> str:
    """Return what wait the server asks for, as words to append; empty if for none or a short one."""
    response = response_of(root_cause(error))
    wait_s = None if response is None else retry_after_s(response)
    if wait_s is None or wait_s < 1:
        return ""
    limit = f", of which {LONGEST_REQUESTED_S} s are waited" if wait_s > LONGEST_REQUESTED_S else ""
    return f" (it asks for a wait of {wait_s:.0f} s{limit})"


def retrying(
    patience_s: Callable[[], float],
    *,
    retry: Callable[[BaseException], bool] = is_transient,
    before_sleep: Callable[[tenacity.RetryCallState], None] | None = None,
    sleep: Callable[[float], Any] = tenacity.nap.sleep,
    failures: Callable[[], int] | None = None,
) -> tenacity.Retrying:
    """Return a retrier that calls a function until it succeeds, and raises its last error unchanged.

    Parameters
    ----------
    patience_s
        Seconds since the first attempt after which a failure is final; read after each attempt.
    retry
        Whether to try again after an error.
    before_sleep
        Called after each failed attempt that will be repeated.
    sleep
        Function that waits the given number of seconds.
    failures
        Earlier failed attempts that count for the next wait; None for all of them.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(retry),
        wait=lambda state: _wait_s(state, failures() if failures else state.attempt_number - 1),
        stop=lambda state: (state.seconds_since_start or 0) >= patience_s(),
        before_sleep=before_sleep,
        sleep=sleep,
        reraise=True,
    )


def _wait_s(state: tenacity.RetryCallState, n_failures: int) -> float:
    """Return the seconds to the next attempt: the server's request, or exponential back-off."""
    error = state.outcome.exception() if state.outcome else None
    response = response_of(root_cause(error)) if error else None
    requested_s = retry_after_s(response) if response is not None else None
    if requested_s is None:
        return min(FIRST_WAIT_S * 2.0 ** min(n_failures, 20), LONGEST_WAIT_S)
    return min(max(requested_s, SHORTEST_WAIT_S), LONGEST_REQUESTED_S)


def _date(text: str) -> datetime | None:
    """Parse an HTTP date, which is in GMT even without a time zone; None if it is not a date."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
