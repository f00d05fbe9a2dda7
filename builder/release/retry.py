"""Retry: repeat calls of the Hub during an outage, and turn its refusals into one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import httpx2
import tenacity
from huggingface_hub.errors import (
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from psgimg.builder import http_retry
from psgimg.builder.errors import BuildError
from psgimg.builder.files import secrets
from psgimg.builder.http_retry import root_cause

T = TypeVar("T")
Notify = Callable[[str], None]
"""Called with a line of text when the Hub is unavailable and calls are retried."""

PATIENCE_S = 900
"""Longest outage to wait out in the middle of a push."""

SHORT_S = 30
"""Longest outage at its start, while the user can still correct a wrong address."""

FINAL = (OfflineModeIsEnabled, *http_retry.PERMANENT_ERRORS)
"""Errors that look like an outage but will not pass."""


def call_with_retries(
    action: Callable[[], T],
    what: str,
    notify: Notify,
    patience_s: float | None = None,
    allow_missing: bool = False,
) -> T:
    """Call a function, retry it during outages, and report other errors in one line.

    Parameters
    ----------
    what
        Subject of the call, for the message.
    allow_missing
        Whether RepositoryNotFoundError is passed on.

    Raises
    ------
    BuildError
        If the Hub refuses, or is unavailable for longer than ``patience_s``.
    """

    def report(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        asked = http_retry.requested_wait(error) if error else ""
        if error and (state.attempt_number == 2 or asked):  # otherwise not for a single failure
            notify(f"the Hub is unavailable ({_status_line(error)}){asked}; retrying")

    limit_s = PATIENCE_S if patience_s is None else patience_s
    retrying = http_retry.retrying(lambda: limit_s, retry=is_transient, before_sleep=report)
    try:
        return retrying(action)
    except RepositoryNotFoundError as error:
        if allow_missing and status_of(error) != 401:
            raise
        raise BuildError(_explained(error, what)) from None
    except BuildError:
        raise
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, RuntimeError) as error:
        # The cause is omitted on purpose: it contains the request and with it the token.
        raise BuildError(_explained(error, what)) from None


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    return http_retry.is_transient(error) and not isinstance(root_cause(error), FINAL)


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of a response of the Hub; None for other errors."""
    response = http_retry.response_of(root_cause(error))
    return None if response is None else response.status_code


def clean(text: object) -> str:
    """Return one line without secrets: no token, and no query of a URL, which may be signed."""
    return secrets.mask(" ".join(str(text).split()))[:300]


def _status_line(error: BaseException) -> str:
    status = status_of(error)
    return f"HTTP {status}" if status else type(root_cause(error)).__name__


def is_full(error: BaseException) -> bool:
    """Whether the Hub refuses a call because there is no room for more."""
    root = root_cause(error)
    text = str(getattr(root, "server_message", None) or root)
    full = re.search(r"quota|storage limit|storage space", text, re.IGNORECASE)
    return status_of(error) in (402, 413) or full is not None


def _explained(error: BaseException, what: str) -> str:
    """Return one line for an error of the Hub, with the remedy and without the token."""
    status = status_of(error)
    root = root_cause(error)
    text = clean(getattr(root, "server_message", None) or root)
    if isinstance(root, FINAL):
        return f"{what}: the Hub can't be used ({text}); fix HF_HUB_OFFLINE or HF_ENDPOINT"
    if is_transient(error):
        return (
            f"{what}: the Hub can't be reached ({text}); run the same command again later: files that "
            "have arrived are not sent again"
        )
    if is_full(error):
        return (
            f"{what}: the storage on the Hub is full ({text}); free some or choose an owner with more, "
            "then run the same command again: nothing was published"
        )
    remedies = {
        401: "the Hub rejects this token; run `hf auth login` again",
        403: f"no write access to {what}; ask its owner, use another token, or choose another --repo-id",
        404: f"{what} not found; check --repo-id and the permissions of the token",
        409: f"the name {what} is taken by a repository hidden from this token; choose another --repo-id",
        412: f"{what} was changed by someone else in the meantime; nothing was published; run the same "
        "command again",
    }
    remedy = remedies.get(status or 0, "nothing was published; check --repo-id")
    return f"{what}: {remedy} ({text})"
