"""Chat completion: a page as the messages of a request, and the answer of a server to it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, secrets
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference.server.logprobs import Step

ROUNDING = 1e-3
"""Log-probabilities up to this, not 0, occur where a server rounds."""

CUT_OFF = "length"
"""Reason to finish of an answer that reached the maximum number of tokens."""


@dataclass(frozen=True)
class Reply:
    """Answer of a server to a page, and its alternatives token by token if the server reports them.

    Parameters
    ----------
    cut_off
        Whether the answer ends where its maximum length was reached.
    """

    text: str
    steps: tuple[Step, ...]
    cut_off: bool = False


def messages(row: ChatRow) -> list[dict[str, Any]]:
    """Return the prompt with its pictures before the text of the user, as in training."""
    turns: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(image)}} for image in row["images"]
    ]
    for message in row["prompt"]:
        if message["role"] == "user" and pictures:
            text = {"type": "text", "text": message["content"]}
            turns.append({"role": "user", "content": [*pictures, text]})
            pictures = []
        else:
            turns.append({"role": message["role"], "content": message["content"]})
    return turns


def parsed(response: httpx2.Response, url: str) -> Reply:
    """Parse a chat completion.

    Raises
    ------
    BuildError
        If the answer is none.
    """
    try:
        choice = bounded.loads(response.content, "the answer", any_text=True)["choices"][0]
        text = str(choice["message"].get("content") or "")
        tokens = (choice.get("logprobs") or {}).get("content") or []
        steps = tuple(
            Step(step["token"], _log_probs([*(step.get("top_logprobs") or []), step]))
            for step in tokens
        )
        # JSON can hold halves of surrogate pairs, which no file can.
        text = text.encode("utf-8", "replace").decode()
        return Reply(text, steps, choice.get("finish_reason") == CUT_OFF)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        body = " ".join(response.text.split())[:200]
        raise BuildError(
            secrets.mask(
                f"{url} does not return chat completions ({body!r}); use the address of an "
                "OpenAI-compatible server, which usually ends in /v1"
            )
        ) from None


def _data_url(image: Any) -> str:
    """Return a picture as a PNG data URL."""
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")


def _log_probs(alternatives: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return token → log-probability of the alternatives for a token; the last of equal ones.

    Raises
    ------
    TypeError, ValueError
        If a token is not text, or a number is not a log-probability.
    """
    log_probs = {}
    for one in alternatives:
        token, log_prob = one["token"], float(one["logprob"])
        if not isinstance(token, str) or not log_prob <= ROUNDING:
            raise ValueError(f"{token!r}, {log_prob!r}")
        log_probs[token] = min(log_prob, 0.0)
    return log_probs
