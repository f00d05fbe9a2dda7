"""Request wording: the options of a request in the words that a server accepts, learned from refusals.

Servers differ in the name of the maximum length, in how many alternatives they report, and in whether
they accept a temperature.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import httpx2
from psgimg.builder.files import bounded

REFUSED = (400, 422)
"""Statuses of a request with an option that the server does not accept."""

MAX_TOKENS, MAX_COMPLETION_TOKENS = "max_tokens", "max_completion_tokens"
TEMPERATURE = "temperature"

ALTERNATIVES = (20, 5, 0)
"""Numbers of alternatives per token to request, in turn: servers reject numbers above their limit."""

SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Codes of a refusal that no waiting ends, under the status of a busy server."""


@dataclass(frozen=True)
class Wording:
    """The options of a request.

    Parameters
    ----------
    length
        Name of the maximum length of an answer.
    greedy
        Whether to ask for the likeliest tokens, by a temperature of 0.
    n_alternatives
        Alternatives to report per token; 0 for no log-probabilities.
    """

    length: str = MAX_TOKENS
    greedy: bool = True
    n_alternatives: int = 0

    def options(self, max_new_tokens: int) -> dict[str, Any]:
        """Return the options as fields of a request."""
        fields: dict[str, Any] = {self.length: max_new_tokens}
        if self.greedy:
            fields[TEMPERATURE] = 0
        if self.n_alternatives:
            fields |= {"logprobs": True, "top_logprobs": self.n_alternatives}
        return fields

    def after(self, refusal: httpx2.Response) -> Wording | None:
        """Return other words, which a server that refused these may accept; None if there are none."""
        if refusal.status_code not in REFUSED:
            return None
        about = _subject(refusal)
        if self.length == MAX_TOKENS and MAX_COMPLETION_TOKENS in about:
            return replace(self, length=MAX_COMPLETION_TOKENS)
        if self.greedy and TEMPERATURE in about:
            return replace(self, greedy=False)
        if self.n_alternatives:
            fewer = next(n for n in ALTERNATIVES if n < self.n_alternatives)
            return replace(self, n_alternatives=fewer)
        return None


def is_spent(response: httpx2.Response | None) -> bool:
    """Return whether a server refuses because the quota of the key is used up."""
    if response is None:
        return False
    if response.status_code == 402:
        return True
    error = _error(response)
    return not SPENT.isdisjoint(str(error.get(key)) for key in ("code", "type"))


def _subject(response: httpx2.Response) -> str:
    """Return what a refusal is about: the option that it names, and its message."""
    error = _error(response)
    return f"{error.get('param')} {error.get('message') or response.text[:2000]}"


def _error(response: httpx2.Response) -> dict[str, Any]:
    """Return the error in a response, in the form of OpenAI or of vLLM; {} if there is none."""
    try:
        body = bounded.loads(response.content, "the answer", any_text=True)
    except ValueError:
        return {}
    error = body.get("error", body) if isinstance(body, dict) else {}
    return error if isinstance(error, dict) else {"message": str(error)}
