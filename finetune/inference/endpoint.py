"""Endpoint: a model behind an OpenAI-compatible server, asked over chat completions."""

from __future__ import annotations

import base64
import io
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
from psgimg.builder import http_retry
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference.logprobs import Step

PATH = "/chat/completions"
KEY = "OPENAI_API_KEY"

PATIENCE_S = 900
"""How long a server that is busy or away is waited for."""
FIRST_PATIENCE_S = 10
"""The same for one that never answered: its address may be wrong."""
TIMEOUT = httpx2.Timeout(600, connect=20)
"""A page may wait long in the queue of a busy server."""

ALTERNATIVES = (20, 5, 0)
"""How many alternatives of a token are asked for: servers refuse what is over their own limit."""


@dataclass(frozen=True)
class Reply:
    """What a server said of a page, and what else it might have said, where it tells."""

    text: str
    steps: tuple[Step, ...]


class Endpoint:
    """A server, some requests at a time. To be used with ``with``.

    The key is taken from ``OPENAI_API_KEY`` if that is set, and is never shown.

    Parameters
    ----------
    url
        With or without ``/chat/completions``; servers mostly begin at ``/v1``.
    model
        Name by which the server knows the model.
    parallel
        Requests at a time.
    max_new_tokens
        Where an answer that does not end is cut off.
    alternatives
        Whether to ask for log-probabilities.
    """

    def __init__(
        self, url: str, model: str, *, parallel: int, max_new_tokens: int, alternatives: bool
    ) -> None:
        self._url = url.rstrip("/").removesuffix(PATH) + PATH
        self._key = os.environ.get(KEY, "")
        self._asked = {"model": model, "max_tokens": max_new_tokens, "temperature": 0}
        self._offer = ALTERNATIVES[0] if alternatives else 0
        self._met = False
        self._over = threading.Event()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            self._client = httpx2.Client(headers=headers, timeout=TIMEOUT)
        except ValueError:  # not ASCII; the cause holds the key
            raise BuildError(f"{KEY} holds what no key holds; set it anew") from None
        self._threads = ThreadPoolExecutor(parallel)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()  # ends what waits to try again
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def ask(self, rows: Sequence[ChatRow]) -> list[Reply]:
        """What the server says of some pages, in their order.

        Raises
        ------
        BuildError
            If the server refuses, answers something else than chat completions, or stays away.
        """
        return list(self._threads.map(self._one, rows))

    def _one(self, row: ChatRow) -> Reply:
        payload = {**self._asked, "messages": _messages(row)}
        while True:
            offer = self._offer
            more = {"logprobs": True, "top_logprobs": offer} if offer else {}
            try:
                return _reply(self._post({**payload, **more}), self._url)
            except httpx2.HTTPStatusError as error:
                if offer and error.response.status_code in (400, 422):
                    fewer = next(n for n in ALTERNATIVES if n < offer)
                    self._offer = min(self._offer, fewer)  # another thread may be further
                    continue
                raise BuildError(self._explained(error)) from None  # the cause holds the key
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise BuildError(self._explained(error)) from None

    def _post(self, payload: Mapping[str, Any]) -> httpx2.Response:
        """An answer of the server; what passes is waited out."""
        retrying = http_retry.retrying(
            lambda: PATIENCE_S if self._met else FIRST_PATIENCE_S,
            retry=lambda error: http_retry.is_transient(error) and not self._over.is_set(),
            sleep=self._pause,
        )
        return retrying(self._post_once, payload)

    def _pause(self, seconds: float) -> None:
        """Wait for the next attempt, until this endpoint is closed at the latest."""
        self._over.wait(seconds)

    def _post_once(self, payload: Mapping[str, Any]) -> httpx2.Response:
        response = self._client.post(self._url, json=payload)
        self._met = True
        return response.raise_for_status()

    def _explained(self, error: httpx2.HTTPError | httpx2.InvalidURL) -> str:
        """One line for what the server refused, with the remedy, and no key in it."""
        if not isinstance(error, httpx2.HTTPStatusError):
            said = f"{type(error).__name__} {error}".strip()
            return self._line(
                f"can't be reached ({said}); start it or check the address, then run the same "
                "command again: finished pages are kept"
            )
        status, said = error.response.status_code, " ".join(error.response.text.split())[:300]
        remedy = {
            401: f"the server does not know the key; set {KEY}",
            403: f"the server does not allow it; check {KEY} and its rights",
            404: "there is no such address or model; check --endpoint and --model",
        }.get(status, "mend the request or the server, then run the same command again")
        if http_retry.is_transient(error):
            remedy = (
                "the server is busy or down; run the same command again: finished pages are kept"
            )
        return self._line(f"{status}: {remedy} ({said})")

    def _line(self, text: str) -> str:
        text = f"{self._url}: {text}"
        return text.replace(self._key, "…") if self._key else text


def _messages(row: ChatRow) -> list[dict[str, Any]]:
    """The prompt with its pictures before the words of the user, as in training."""
    told: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(image)}} for image in row["images"]
    ]
    for message in row["prompt"]:
        if message["role"] == "user" and pictures:
            words = {"type": "text", "text": message["content"]}
            told.append({"role": "user", "content": [*pictures, words]})
            pictures = []
        else:
            told.append({"role": message["role"], "content": message["content"]})
    return told


def _data_url(image: Any) -> str:
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")


def _reply(response: httpx2.Response, url: str) -> Reply:
    try:
        choice = response.json()["choices"][0]
        text = choice["message"].get("content") or ""
        told = (choice.get("logprobs") or {}).get("content") or []
        steps = tuple(
            Step(
                step["token"],
                {
                    **{
                        other["token"]: other["logprob"] for other in step.get("top_logprobs") or []
                    },
                    step["token"]: step["logprob"],
                },
            )
            for step in told
        )
        return Reply(str(text), steps)
    except (ValueError, LookupError, TypeError, AttributeError):
        said = " ".join(response.text.split())[:200]
        raise BuildError(
            f"{url} does not answer as chat completions do ({said!r}); give the address of an "
            "OpenAI-compatible server, which mostly ends in /v1"
        ) from None
