"""Retry: calls of the Hub are tried again while it is away; a refusal becomes one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import httpx2
import tenacity
from huggingface_hub import get_token
from huggingface_hub.errors import (
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from psgimg.builder import http_retry
from psgimg.builder.errors import BuildError
from psgimg.builder.http_retry import root_cause

T = TypeVar("T")
Told = Callable[[str], None]
"""Told in a line that the Hub is away and waited for."""

PATIENCE_S = 900
"""How long an outage is waited out in the middle of a push."""

SHORT_S = 30
"""How long at its start, when the user is still there to see a wrong address."""

FINAL = (OfflineModeIsEnabled, *http_retry.PERMANENT_ERRORS)
"""What looks like an outage and will not pass."""


def patiently(
    action: Callable[[], T],
    what: str,
    told: Told,
    patience_s: float | None = None,
    missing_is_answer: bool = False,
) -> T:
    """Call, wait out what passes, and say the rest in one line.

    Parameters
    ----------
    what
        What it is about, for the line.
    missing_is_answer
        Whether RepositoryNotFoundError is let through.

    Raises
    ------
    BuildError
        If the Hub refuses, or stays away for longer than ``patience_s``.
    """

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 2 and error:  # once, and not for a mere hiccup
            told(f"the Hub is away ({_status_line(error)}); trying again")

    limit_s = PATIENCE_S if patience_s is None else patience_s
    retrying = http_retry.retrying(lambda: limit_s, retry=is_transient, before_sleep=tell)
    try:
        return retrying(action)
    except RepositoryNotFoundError as error:
        if missing_is_answer and status_of(error) != 401:
            raise
        raise BuildError(_explained(error, what)) from None
    except BuildError:
        raise
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, RuntimeError) as error:
        # The cause is left out on purpose: it holds the request, and that the token.
        raise BuildError(_explained(error, what)) from None


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    return http_retry.is_transient(error) and not isinstance(root_cause(error), FINAL)


def status_of(error: BaseException) -> int | None:
    """HTTP status of an answer of the Hub; None for what is no answer."""
    response = http_retry.response_of(root_cause(error))
    return None if response is None else response.status_code


def clean(text: object) -> str:
    """One line without secrets: no token, and no address's query, which may be signed."""
    line = " ".join(str(text).split())
    token = get_token()
    if token:
        line = line.replace(token, "hf_…")
    line = re.sub(r"Bearer.*", "Bearer …", line)
    line = re.sub(r"(https?://[^\s?]+)\?\S*", r"\1?…", line)
    return re.sub(r"hf_\w+", "hf_…", line)[:300]


def _status_line(error: BaseException) -> str:
    status = status_of(error)
    return f"HTTP {status}" if status else type(root_cause(error)).__name__


def _explained(error: BaseException, what: str) -> str:
    """One line for what the Hub refused, with the remedy, and no token in it."""
    status = status_of(error)
    root = root_cause(error)
    said = clean(getattr(root, "server_message", None) or root)
    if isinstance(root, FINAL):
        return f"{what}: the Hub is not asked ({said}); mend HF_HUB_OFFLINE or HF_ENDPOINT"
    if is_transient(error):
        return (
            f"{what}: the Hub can't be reached ({said}); run the same command again later: what has "
            "arrived is not sent again"
        )
    if status in (402, 413) or re.search(r"quota|storage limit|storage space", said, re.IGNORECASE):
        return (
            f"{what}: the Hub's storage is full ({said}); free some or choose an owner with more, "
            "then run the same command again: nothing was published"
        )
    remedies = {
        401: "the Hub does not know this token; run `hf auth login` again",
        403: f"no right to write to {what}; ask its owner, take a token that may, or choose another --repo-id",
        404: f"{what} was not found; check --repo-id and what the token may see",
        409: f"the name {what} is taken by a repository that this token may not see; choose another --repo-id",
        412: f"{what} was changed by somebody else meanwhile; nothing was published, run the same command again",
    }
    remedy = remedies.get(status or 0, "nothing was published; check --repo-id")
    return f"{what}: {remedy} ({said})"
