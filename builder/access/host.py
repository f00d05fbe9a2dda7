"""Host: requests to one server, few at a time, repeated while they can succeed later.

No message, and no exception behind one, shows an address with its secret.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx2
import tenacity
from psgimg.builder import http_retry
from psgimg.builder.access import turns
from psgimg.builder.access.answer import (
    ARCHIVE,
    BEYOND_THE_END,
    LIST,
    PARTIAL,
    TOO_MANY,
    Asked,
    first_byte,
    reason_of,
    require_data,
    require_part,
    require_plain,
    validators_of,
    whole_size,
)
from psgimg.builder.access.connections import Connections
from psgimg.builder.access.incoming import (
    DamagedError,
    Fetched,
    Incoming,
    Note,
    no_note,
    receiving,
)
from psgimg.builder.access.remote_file import DAMAGED, UNREACHABLE, RemoteFile
from psgimg.builder.access.turns import Turns
from psgimg.builder.errors import RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.http_retry import Patience

T = TypeVar("T")
Notify = Callable[[str], None]

PAUSE_S = 0.15
"""Shortest time between the beginnings of two requests to a host."""

PATIENCE_S = 600.0
"""How long a request is repeated without a new byte: the server is busy, down, or drops it."""
FIRST_PATIENCE_S = 30.0
"""The same for a server that has given nothing yet, or no longer does: it may stay away."""

TIMEOUT = httpx2.Timeout(60, connect=5)
CHUNK = 1 << 16
IDENTITY = {"Accept-Encoding": "identity"}


class Host:
    """Client of one host: at most ``connections`` requests at a time, with pauses, a context manager.

    Parameters
    ----------
    name
        The service as users know it, for messages.
    remedy
        What a user without access does, in a few words.
    secret
        Query parameters that prove who asks. They are added to each request and nothing else.
    redirects
        Whether a redirect leads to the file. Where it does not, it leads to a page for signing in.
    notify
        Called with a line of text while the server keeps a request waiting.
    """

    def __init__(
        self,
        name: str,
        remedy: str,
        *,
        secret: Mapping[str, str] | None = None,
        redirects: bool = False,
        connections: int,
        notify: Notify | None = None,
    ) -> None:
        self.name, self._remedy = name, remedy
        self._secret = dict(secret or {})
        self._notify = notify
        self._n_connections, self._answers = connections, False
        self._closed, self._connections = threading.Event(), Connections()
        self._client = httpx2.Client(
            timeout=TIMEOUT,
            follow_redirects=redirects,
            limits=httpx2.Limits(max_connections=connections),
            headers={"User-Agent": "psgimg"},
        )

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._client.close()

    def stop(self) -> None:
        """End all requests at once, those of other threads; what has come stays."""
        self._closed.set()
        self._connections.end()

    def json(self, url: str, parameters: Mapping[str, str] | None = None) -> Any:
        """Return the answer to a request as JSON.

        Raises
        ------
        RecordingError
            If the server refuses or stays down, or the answer is not JSON.
        """
        content = self._content(url, parameters or {})
        try:
            return bounded.loads(content, self.name)
        except ValueError:
            raise RecordingError(
                "unreadable answer",
                f"{self.name} answered something other than JSON; try again later",
            ) from None

    def text(self, url: str, parameters: Mapping[str, str] | None = None) -> str:
        """Return the answer to a request as text; see :meth:`json`."""
        return self._content(url, parameters or {}).decode("utf-8", "replace")

    def piece(self, url: str, first: int, last: int) -> bytes:
        """Return some bytes of a file, both ends included.

        Raises
        ------
        RecordingError
            If the server refuses or stays down, or has no Range requests.
        """
        n_bytes = last - first + 1

        def ask(patience: Patience) -> bytes:
            headers = {**IDENTITY, "Range": f"bytes={first}-{last}"}
            with self._answer(url, {}, headers, ARCHIVE) as response:
                require_part(response, first, self.name)
                content = bytearray()
                for chunk in patience.counting(response.iter_raw()):
                    content += chunk
                    if len(content) >= n_bytes:  # some servers go on to the end of the file
                        return bytes(content[:n_bytes])
            raise httpx2.RemoteProtocolError("a part of the archive was cut off")

        return self._repeated(url, ask)

    def fetch(self, file: RemoteFile, root: Path, note: Note = no_note) -> Fetched:
        """Bring a file to its place under ``root``, where it did not exist before.

        Raises
        ------
        RecordingError
            If the server refuses the file, does not have it, stays down, or sends twice what does
            not fit its own size or checksum.
        BuildError
            If the disk is full or can't be written.
        """
        with receiving(file, root) as incoming:
            with suppress(DamagedError):
                return self._whole(incoming, note)
            try:
                return self._whole(incoming, note)
            except DamagedError as error:
                raise RecordingError(
                    DAMAGED,
                    f"{file.name}: {error}, twice, from {self.name}; run the same command again, which "
                    "asks for a new list of files, or report it there",
                ) from None

    def _whole(self, incoming: Incoming, note: Note) -> Fetched:
        """Receive a file until the server has no more of it, and give it its name."""
        validators: list[str] = []
        self._repeated(
            incoming.file.url, lambda patience: self._receive(incoming, validators, patience)
        )
        return incoming.finish(note)

    def _receive(self, incoming: Incoming, validators: list[str], patience: Patience) -> None:
        """Request the rest of a file, and append what comes.

        Parameters
        ----------
        validators
            Identifies the version that has begun to come; empty if the server did not tell.
        """
        headers = dict(IDENTITY)
        if incoming.n_bytes and not (validators or incoming.is_proven):
            incoming.begin_anew()  # nothing would show that both pieces are of one version
        if begin := incoming.n_bytes:
            headers["Range"] = f"bytes={begin}-"
            headers |= {"If-Range": validators[-1]} if validators else {}
        with self._answer(incoming.file.url, {}, headers, Asked(incoming.file.name)) as response:
            if response.status_code == BEYOND_THE_END:
                if begin == incoming.file.size:
                    return
                incoming.begin_anew()
                raise httpx2.RemoteProtocolError("the file has become shorter")
            require_plain(response, incoming.file.name, self.name)
            if response.status_code != PARTIAL:
                incoming.begin_anew()
            elif first_byte(response) != begin:
                raise httpx2.RemoteProtocolError("the server sent another part of the file")
            validators[:] = validators_of(response)
            incoming.append(patience.counting(response.iter_raw(), incoming.n_bytes))
            if incoming.n_bytes < whole_size(response, incoming.file.size):
                raise httpx2.RemoteProtocolError("the file was cut off")

    def _content(self, url: str, parameters: Mapping[str, str]) -> bytes:
        def ask(patience: Patience) -> bytes:
            content = bytearray()
            with self._answer(url, parameters, {}, LIST) as response:
                for chunk in patience.counting(response.iter_bytes(CHUNK)):
                    content += chunk
                    if len(content) > bounded.JSON.n_bytes:
                        raise RecordingError(
                            "unreadable answer",
                            f"{self.name} sends a list without end; try again later",
                        )
            return bytes(content)

        return self._repeated(url, ask)

    @contextmanager
    def _answer(
        self, url: str, parameters: Mapping[str, str], headers: Mapping[str, str], asked: Asked
    ) -> Iterator[httpx2.Response]:
        """Yield the answer to a request if it is data, or nothing further than what has come."""
        query = {**parameters, **self._secret}
        with (
            self._turns(url).taken(PAUSE_S, self._closed),
            self._client.stream(
                "GET",
                url,
                params=query or None,
                headers=headers,
                extensions={"trace": self._connections.trace},
            ) as response,
        ):
            self._answers = self._answers or response.status_code < 500
            if response.status_code != BEYOND_THE_END:
                require_data(response, asked, self.name, self._remedy)
            yield response

    def _repeated(self, url: str, request: Callable[[Patience], T]) -> T:
        """Make a request until it succeeds or is refused."""
        patience = Patience()

        def patience_s() -> float:
            if self._closed.is_set():
                return 0.0
            return patience.after_failure(PATIENCE_S if self._answers else FIRST_PATIENCE_S)

        def waiting(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if error and state.next_action:
                self._wait(url, http_retry.root_cause(error), state.next_action.sleep)

        retrying = http_retry.retrying(
            patience_s,
            before_sleep=waiting,
            sleep=self._closed.wait,
            failures=lambda: patience.n_failed,
        )
        try:
            return retrying(request, patience)
        except (httpx2.HTTPError, ConnectionAbortedError) as error:
            self._answers = False
            host, reason = httpx2.URL(url).host, reason_of(error)
        where = f"{self.name} ({host})"
        raise RecordingError(UNREACHABLE, f"{where} {reason}; run the same command again later")

    def _wait(self, url: str, error: BaseException, seconds: float) -> None:
        """Say that a request waits; have all others wait too if the server finds them too many."""
        response = http_retry.response_of(error)
        if response is not None and response.status_code == TOO_MANY:
            self._turns(url).rest(seconds)
        if self._notify:
            again = f"{http_retry.requested_wait(error)}; trying again in {round(seconds, 1):g} s"
            self._notify(f"{self.name} {reason_of(error)}{again}")

    def _turns(self, url: str) -> Turns:
        return turns.of(httpx2.URL(url).netloc.decode(), self._n_connections)
