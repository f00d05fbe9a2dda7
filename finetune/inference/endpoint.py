"""Endpoint: requests to a model on an OpenAI-compatible server, by chat completions."""

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
from psgimg.builder.files import bounded, secrets
from psgimg.builder.files.bounded import MB
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import local_network
from psgimg.finetune.inference.logprobs import Step

PATH = "/chat/completions"
KEY = "OPENAI_API_KEY"

PATIENCE_S = 900
"""How long to retry a server that is busy or down."""
FIRST_PATIENCE_S = 10
"""How long to retry a server that has never answered: its address may be wrong."""
TIMEOUT = httpx2.Timeout(600, connect=20)
"""In seconds; a page may wait long in the queue of a busy server."""

MAX_BYTES = 16 * MB
"""Maximum size of an answer. One of 1,000 tokens with their alternatives has about 2 MB."""
ENCODED = ("content-encoding", "content-length", "transfer-encoding")
"""Headers of a body as it was sent; the body kept here is decoded."""

ROUNDING = 1e-3
"""Log-probabilities up to this, not 0, occur where a server rounds."""

ALTERNATIVES = (20, 5, 0)
"""Numbers of alternatives per token to request, in turn: servers reject numbers above their limit."""


@dataclass(frozen=True)
class Reply:
    """Answer of a server to a page, and its alternatives token by token if the server reports them."""

    text: str
    steps: tuple[Step, ...]


class Endpoint:
    """Client of a server with several requests at a time, used as a context manager.

    The key is read from ``OPENAI_API_KEY``, if set, and never shown.

    Parameters
    ----------
    url
        Base URL, which usually ends in ``/v1``, with or without ``/chat/completions``.
    model
        Name of the model on the server.
    parallel
        Maximum number of simultaneous requests.
    max_new_tokens
        Maximum length of an answer in tokens.
    alternatives
        Whether to request log-probabilities.

    Raises
    ------
    BuildError
        If the key is not ASCII.
    """

    def __init__(
        self, url: str, model: str, *, parallel: int, max_new_tokens: int, alternatives: bool
    ) -> None:
        self._url = url.rstrip("/").removesuffix(PATH) + PATH
        self._key = os.environ.get(KEY, "")
        self._payload = {"model": model, "max_tokens": max_new_tokens, "temperature": 0}
        self._n_alternatives = ALTERNATIVES[0] if alternatives else 0
        self._answered = False
        self._closed = threading.Event()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            self._client = httpx2.Client(
                headers=headers, timeout=TIMEOUT, mounts=local_network.unproxied(url)
            )
        except ValueError:  # not ASCII; the cause contains the key
            raise BuildError(f"{KEY} is not a valid key; set it again") from None
        self._threads = ThreadPoolExecutor(parallel)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed.set()  # ends the waiting of retries
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._threads.shutdown(wait=not interrupted, cancel_futures=True)
        self._client.close()

    def replies(self, rows: Sequence[ChatRow]) -> list[Reply]:
        """Request the answers to some pages and return them in order.

        Raises
        ------
        BuildError
            If the server rejects a request, does not return chat completions, or stays down.
        """
        return list(self._threads.map(self._reply, rows))

    def _reply(self, row: ChatRow) -> Reply:
        """Request the answer to a page, with fewer alternatives if the server rejects their number."""
        payload = {**self._payload, "messages": _messages(row)}
        while True:
            n = self._n_alternatives
            options = {"logprobs": True, "top_logprobs": n} if n else {}
            try:
                return _parsed(self._post({**payload, **options}), self._url)
            except httpx2.HTTPStatusError as error:
                if n and error.response.status_code in (400, 422):
                    fewer = next(number for number in ALTERNATIVES if number < n)
                    # Another thread may already have reduced it further.
                    self._n_alternatives = min(self._n_alternatives, fewer)
                    continue
                raise BuildError(self._explained(error)) from None  # the cause contains the key
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise BuildError(self._explained(error)) from None

    def _post(self, payload: Mapping[str, Any]) -> httpx2.Response:
        """Post a request, with retries of transient errors."""
        retrying = http_retry.retrying(
            lambda: PATIENCE_S if self._answered else FIRST_PATIENCE_S,
            retry=lambda error: http_retry.is_transient(error) and not self._closed.is_set(),
            sleep=self._pause,
        )
        return retrying(self._post_once, payload)

    def _pause(self, seconds: float) -> None:
        """Wait for the next attempt, or until the endpoint is closed."""
        self._closed.wait(seconds)

    def _post_once(self, payload: Mapping[str, Any]) -> httpx2.Response:
        with self._client.stream("POST", self._url, json=payload) as response:
            self._answered = True
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise BuildError(
                        self._line(
                            f"an answer has more than {MAX_BYTES / MB:g} MB; use the address of an "
                            "OpenAI-compatible server"
                        )
                    )
        headers = {k: v for k, v in response.headers.items() if k not in ENCODED}
        whole = httpx2.Response(
            response.status_code, headers=headers, content=bytes(body), request=response.request
        )
        return whole.raise_for_status()

    def _explained(self, error: httpx2.HTTPError | httpx2.InvalidURL) -> str:
        """Return a one-line message for a failed request, with the remedy and without the key."""
        if not isinstance(error, httpx2.HTTPStatusError):
            cause = f"{type(error).__name__} {error}".strip()
            return self._line(
                f"can't be reached ({cause}); start it or check the address, then run the same "
                "command again: finished pages are kept"
            )
        status, body = error.response.status_code, " ".join(error.response.text.split())[:300]
        remedy = {
            401: f"the server rejects the key; set {KEY}",
            403: f"access denied; check {KEY} and its permissions",
            404: "address or model not found; check --endpoint and --model",
        }.get(status, "fix the request or the server, then run the same command again")
        if http_retry.is_transient(error):
            remedy = (
                "the server is busy or down; run the same command again: finished pages are kept"
            )
        return self._line(f"{status}: {remedy} ({body})")

    def _line(self, text: str) -> str:
        """Prefix a message with the address, and mask secrets: the key, and those of the address."""
        text = f"{self._url}: {text}"
        return secrets.mask(text.replace(self._key, "…") if self._key else text)


def _messages(row: ChatRow) -> list[dict[str, Any]]:
    """Return the prompt with its pictures before the text of the user, as in training."""
    messages: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(image)}} for image in row["images"]
    ]
    for message in row["prompt"]:
        if message["role"] == "user" and pictures:
            text = {"type": "text", "text": message["content"]}
            messages.append({"role": "user", "content": [*pictures, text]})
            pictures = []
        else:
            messages.append({"role": message["role"], "content": message["content"]})
    return messages


def _data_url(image: Any) -> str:
    """Return a picture as a PNG data URL."""
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")


def _parsed(response: httpx2.Response, url: str) -> Reply:
    """Parse a chat completion."""
    try:
        choice = bounded.loads(response.content, "the answer", any_text=True)["choices"][0]
        text = str(choice["message"].get("content") or "")
        tokens = (choice.get("logprobs") or {}).get("content") or []
        steps = tuple(
            Step(step["token"], _log_probs([*(step.get("top_logprobs") or []), step]))
            for step in tokens
        )
        # JSON can hold halves of surrogate pairs, which no file can.
        return Reply(text.encode("utf-8", "replace").decode(), steps)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        body = " ".join(response.text.split())[:200]
        raise BuildError(
            secrets.mask(
                f"{url} does not return chat completions ({body!r}); use the address of an "
                "OpenAI-compatible server, which usually ends in /v1"
            )
        ) from None


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
