"""HTTP retry: which failures of a request are transient, and how long to wait before the next attempt.

The rules are the same for the Hub and for a server that a model runs behind.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
import tenacity

TRANSIENT_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
"""Timeout, too early, too many requests, and every failure of the server's own."""

PERMANENT_ERRORS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
"""Failures to send that look like an outage: the address or the request is wrong."""

FIRST_WAIT_S, SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.5, 0.1, 60
"""The first wait, doubled after each attempt; and the bounds of every wait, whoever asks for it."""


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later.

    Parameters
    ----------
    error
        What a request raised; or a wrapper, whose cause is judged.
    """
    error = root_cause(error)
    response = response_of(error)
    if response is not None:
        return response.status_code in TRANSIENT_STATUSES
    lost = isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError)
    return lost and not isinstance(error, PERMANENT_ERRORS)


def root_cause(error: BaseException) -> BaseException:
    """The error of the request itself, where a client has wrapped it in others."""
    while not isinstance(error, httpx2.HTTPError) and error.__cause__:
        error = error.__cause__
    return error


def response_of(error: BaseException) -> httpx2.Response | None:
    """The server's response if the error is a refusal, of httpx2 or of a client built upon it."""
    response = getattr(error, "response", None)
    return response if isinstance(response, httpx2.Response) else None


def retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds that a server asks to wait, given in seconds or as an HTTP date; None if it does not.

    A date is compared with the server's own clock where the response says what that is.
    """
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    until = _date(asked)
    if until is None:
        return None
    now = _date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def retrying(
    patience_s: Callable[[], float],
    *,
    retry: Callable[[BaseException], bool] = is_transient,
    before_sleep: Callable[[tenacity.RetryCallState], None] | None = None,
    sleep: Callable[[float], None] = tenacity.nap.sleep,
) -> tenacity.Retrying:
    """What calls a function again until it succeeds; its last error is raised as it is.

    Parameters
    ----------
    patience_s
        Seconds since the first attempt after which a failure is final; read after each attempt.
    retry
        Whether an error is worth another attempt.
    before_sleep
        Called after each failed attempt that another follows.
    sleep
        Waits some seconds.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(retry),
        wait=_wait_s,
        stop=lambda state: (state.seconds_since_start or 0) >= patience_s(),
        before_sleep=before_sleep,
        sleep=sleep,
        reraise=True,
    )


def _wait_s(state: tenacity.RetryCallState) -> float:
    """Seconds to the next attempt: what the server asks for, or longer and longer."""
    error = state.outcome.exception() if state.outcome else None
    response = response_of(root_cause(error)) if error else None
    asked = retry_after_s(response) if response is not None else None
    if asked is None:
        return float(tenacity.wait_exponential(FIRST_WAIT_S, max=LONGEST_WAIT_S)(state))
    return min(max(asked, SHORTEST_WAIT_S), LONGEST_WAIT_S)


def _date(text: str) -> datetime | None:
    """An HTTP date, which is in GMT whether it says so or not; None for what is none."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
