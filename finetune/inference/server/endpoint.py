"""Endpoint: requests to a model on an OpenAI-compatible server, by chat completions."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx2
import tenacity
from psgimg.builder import http_retry
from psgimg.builder.errors import BuildError
from psgimg.builder.files import secrets
from psgimg.builder.files.bounded import MB
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference.server import chat_completion, local_network, request_wording
from psgimg.finetune.inference.server.chat_completion import Reply
from psgimg.finetune.inference.server.request_wording import ALTERNATIVES, Wording
from psgimg.finetune.inference.server.server_notes import ServerNotes

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
    note
        Called with a line for the user, from any thread.

    Raises
    ------
    BuildError
        If the key is not ASCII.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        parallel: int,
        max_new_tokens: int,
        alternatives: bool,
        note: Callable[[str], None],
    ) -> None:
        self._url = url.rstrip("/").removesuffix(PATH) + PATH
        self._key = os.environ.get(KEY, "")
        self._model, self._max_new_tokens = model, max_new_tokens
        self._wording = Wording(n_alternatives=ALTERNATIVES[0] if alternatives else 0)
        self._lock, self._notes = threading.Lock(), ServerNotes(note)
        self._answered = False
        self._closed = threading.Event()
        self._refusal: BuildError | None = None
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            self._client = httpx2.Client(
                headers=headers,
                timeout=TIMEOUT,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=parallel),
                mounts=local_network.unproxied(url),
            )
        except ValueError:  # not ASCII; the cause contains the key
            raise BuildError(f"{KEY} is not a valid key; set it again") from None
        self._parallel, self._threads = parallel, ThreadPoolExecutor(parallel)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed.set()  # ends the waiting of retries
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._threads.shutdown(wait=not interrupted, cancel_futures=True)
        self._client.close()
        self._notes.end()

    def replies(self, rows: Iterable[ChatRow]) -> Iterator[Reply]:
        """Yield the answers to some pages in order; further requests run meanwhile.

        Raises
        ------
        BuildError
            If the server rejects a request, does not return chat completions, or stays down.
        """
        waiting: deque[Future[Reply]] = deque()
        for row in rows:
            waiting.append(self._threads.submit(self._reply, row))
            # As many again are queued, so that a slow answer at the front keeps no thread idle.
            if len(waiting) >= 2 * self._parallel:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _reply(self, row: ChatRow) -> Reply:
        """Request the answer to a page; after a permanent refusal, no other is requested."""
        if self._refusal is not None:
            raise self._refusal
        try:
            reply = self._requested(
                {"model": self._model, "messages": chat_completion.messages(row)}
            )
        except BuildError as error:
            self._refusal = error
            raise
        if reply.cut_off:
            self._notes.cut_off(self._max_new_tokens)
        return reply

    def _requested(self, content: Mapping[str, Any]) -> Reply:
        """Request an answer, in other words if the server rejects these."""
        while True:
            wording = self._wording
            try:
                response = self._post({**content, **wording.options(self._max_new_tokens)})
                return chat_completion.parsed(response, self._url)
            except httpx2.HTTPStatusError as error:
                if not self._reworded(wording, error.response):
                    raise BuildError(self._explained(error)) from None  # the cause contains the key
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise BuildError(self._explained(error)) from None

    def _reworded(self, refused: Wording, response: httpx2.Response) -> bool:
        """Return whether there are other words than the refused ones, and use them from now on."""
        with self._lock:
            if self._wording != refused:
                return response.status_code in request_wording.REFUSED  # by another thread
            other = refused.after(response)
            if other is None:
                return False
            self._wording = other
        if refused.greedy and not other.greedy:
            self._notes.unpredictable()
        return True

    def _post(self, payload: Mapping[str, Any]) -> httpx2.Response:
        """Post a request, with retries of transient errors."""
        retrying = http_retry.retrying(
            self._patience_s,
            retry=self._may_succeed_later,
            before_sleep=self._tell_why,
            sleep=self._pause,
        )
        return retrying(self._post_once, payload)

    def _patience_s(self) -> float:
        return PATIENCE_S if self._answered else FIRST_PATIENCE_S

    def _may_succeed_later(self, error: BaseException) -> bool:
        if self._closed.is_set() or request_wording.is_spent(http_retry.response_of(error)):
            return False
        return http_retry.is_transient(error)

    def _tell_why(self, state: tenacity.RetryCallState) -> None:
        """Say why the server is waited for."""
        error = state.outcome.exception() if state.outcome else None
        response = http_retry.response_of(error) if error else None
        if response is None:
            why = f"{type(error).__name__} {error}".strip()
        else:
            why = f"{response.status_code} {' '.join(response.text.split())[:200]}".strip()
        why += http_retry.requested_wait(error) if error else ""
        self._notes.waiting(self._masked(why), self._patience_s())

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
        if request_wording.is_spent(error.response):
            remedy = (
                "the quota of the key is spent; top it up or wait for the next one, then run the same "
                "command again: finished pages are kept"
            )
        elif http_retry.is_transient(error):
            remedy = (
                "the server is busy or down; run the same command again: finished pages are kept"
            )
        return self._line(f"{status}: {remedy} ({body})")

    def _line(self, text: str) -> str:
        """Prefix a message with the address."""
        return self._masked(f"{self._url}: {text}")

    def _masked(self, text: str) -> str:
        """Mask secrets: the key, and those of the address."""
        return secrets.mask(text.replace(self._key, "…") if self._key else text)
