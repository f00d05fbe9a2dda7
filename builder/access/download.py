"""Download: bring one file of a server to disk, resumed where possible and checked before it counts.

A file comes in under the name ``.NAME.part`` and is renamed once its size and checksums are right:
what has its own name is whole. A ``.part`` that a killed process has left is continued by a Range
request if the server publishes a checksum, which then shows that both pieces belong together.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import tenacity
from psgimg.builder import http_retry
from psgimg.builder.access.remote_file import (
    DAMAGED,
    NO_ACCESS,
    UNREACHABLE,
    WITHDRAWN,
    RemoteFile,
)
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import bounded, durable

CONNECTIONS = 4
"""Simultaneous requests to a host, whatever the number of workers."""

PAUSE_S = 0.15
"""Shortest time between the beginnings of two requests to a host."""

PATIENCE_S = 600.0
"""How long a request is repeated without a byte coming: the server is busy, down, or drops it."""
FIRST_PATIENCE_S = 30.0
"""The same for a server that has not answered yet, or no longer does: it may stay away."""

TIMEOUT = httpx2.Timeout(60, connect=20)
CHUNK = 1 << 20
PARTIAL, BEYOND_THE_END = 206, 416
HTML = ("text/html", "application/xhtml+xml")

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """A file that came in whole: where it lies, and its SHA-256 taken while it came."""

    path: Path
    sha256: str
    n_bytes: int


class RefusedError(RecordingError):
    """A file that the server will not give to this user, now or later."""


class Host:
    """Client of one host: at most ``CONNECTIONS`` requests at a time, with pauses, a context manager.

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
        connections: int = CONNECTIONS,
        notify: Notify | None = None,
    ) -> None:
        self.name, self._remedy = name, remedy
        self._secret = dict(secret or {})
        self._notify = notify
        self._slots = threading.BoundedSemaphore(connections)
        self._turn, self._next_s = threading.Lock(), 0.0
        self._closed = threading.Event()
        self._answers, self._heard_s = False, 0.0
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
        self._closed.set()
        self._client.close()

    def json(self, url: str, parameters: Mapping[str, str] | None = None) -> Any:
        """Return the answer to a request as JSON.

        Raises
        ------
        RecordingError
            If the server refuses or stays down, or the answer is not JSON.
        """
        return self._repeated(url, lambda: self._json(url, parameters or {}))

    def fetch(self, file: RemoteFile, root: Path) -> Fetched:
        """Bring a file to its place under ``root``, where it did not exist before.

        Raises
        ------
        RecordingError
            If the server refuses the file, does not have it, stays down, or sends twice what does
            not fit its own size or checksum.
        BuildError
            If the disk is full or can't be written.
        """
        target = root / file.path
        try:
            durable.make_folder(target.parent)
            incoming = _Incoming(file, target.with_name(f".{target.name}.part"))
            with suppress(_DamagedError):
                return self._whole(incoming, target)
            return self._whole(incoming, target)
        except _DamagedError as error:
            raise RecordingError(
                DAMAGED,
                f"{file.name}: {error}, twice, from {self.name}; try again later, or report it there",
            ) from None
        except OSError as error:
            raise _unwritable(target, error) from error

    def _whole(self, incoming: _Incoming, target: Path) -> Fetched:
        """Receive a file until it is whole, and give it its name."""
        file = incoming.file
        self._repeated(file.url, lambda: self._receive(incoming))
        sha256 = incoming.verified()
        durable.sync_file(incoming.path)
        durable.replace(incoming.path, target)
        return Fetched(target, sha256, target.stat().st_size)

    def _receive(self, incoming: _Incoming) -> None:
        """Request the rest of a file, and append what comes."""
        with (
            self._slot(),
            self._client.stream(
                "GET", incoming.file.url, params=self._secret, headers=incoming.headers()
            ) as response,
        ):
            if response.status_code == BEYOND_THE_END:
                incoming.begin_anew_unless_whole()
                return
            self._require_data(response, incoming.file)
            before = incoming.n_bytes
            try:
                incoming.take(response)
            finally:
                if incoming.n_bytes != before:
                    self._heard_s = time.monotonic()

    def _json(self, url: str, parameters: Mapping[str, str]) -> Any:
        asked = {**parameters, **self._secret}
        with self._slot(), self._client.stream("GET", url, params=asked) as response:
            self._require_data(response, None)
            content = bytearray()
            for chunk in response.iter_bytes(CHUNK):
                content += chunk
                if len(content) > bounded.JSON.n_bytes:
                    break
        try:
            return bounded.loads(bytes(content), self.name)
        except ValueError:
            raise RecordingError(
                "unreadable answer",
                f"{self.name} answered something other than JSON; try again later",
            ) from None

    def _require_data(self, response: httpx2.Response, file: RemoteFile | None) -> None:
        """Refuse every answer that is not what was asked for; transient ones are raised to be repeated."""
        self._answers = self._answers or response.status_code < 500
        self._heard_s = time.monotonic()
        what = file.name if file else "the list of files"
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.is_redirect or response.status_code in (401, 403):
            raise RefusedError(
                NO_ACCESS, f"{self.name} does not give {what} to you: {self._remedy}"
            )
        if response.status_code in (404, 410):
            raise RefusedError(WITHDRAWN, f"{self.name} has no {what} any more; build without it")
        response.raise_for_status()
        if kind in HTML:
            raise RefusedError(
                NO_ACCESS, f"{self.name} sent a web page instead of {what}: {self._remedy}"
            )

    def _repeated(self, url: str, request: Callable[[], Any]) -> Any:
        """Make a request until it succeeds or is refused; no error shows the address with its secret."""
        start_s = time.monotonic()

        def patience_s() -> float:
            if self._closed.is_set():
                return 0.0
            patience_s = PATIENCE_S if self._answers else FIRST_PATIENCE_S
            return max(self._heard_s - start_s, 0.0) + patience_s

        retrying = http_retry.retrying(
            patience_s,
            before_sleep=self._waiting,
            sleep=self._sleep,
        )
        try:
            return retrying(request)
        except httpx2.HTTPError as error:
            self._answers = False
            host = httpx2.URL(url).host
            reason = _reason(error)
        raise RecordingError(
            UNREACHABLE, f"{self.name} ({host}) {reason}; run the same command again later"
        )

    def _sleep(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def _waiting(self, state: tenacity.RetryCallState) -> None:
        if self._notify and state.outcome and state.next_action:
            reason = _reason(http_retry.root_cause(state.outcome.exception() or Exception()))
            self._notify(f"{self.name} {reason}; trying again in {state.next_action.sleep:.0f} s")

    def _slot(self) -> _Slot:
        return _Slot(self)

    def _pause(self) -> None:
        """Wait for this request's turn, so that requests do not come all at once."""
        with self._turn:
            now_s = time.monotonic()
            begin_s = max(now_s, self._next_s)
            self._next_s = begin_s + PAUSE_S
        self._closed.wait(begin_s - now_s)


class _Slot:
    """One of a host's connections."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __enter__(self) -> None:
        self._host._slots.acquire()
        self._host._pause()

    def __exit__(self, *_: object) -> None:
        self._host._slots.release()


class _DamagedError(Exception):
    """What came differs from what the server says of the file."""


class _Incoming:
    """A file that is coming in, with the hashes of what has come."""

    def __init__(self, file: RemoteFile, path: Path) -> None:
        self.file, self.path = file, path
        self._validator = ""
        self._begin()
        if file.checksums and path.exists():
            self._continue()
        else:
            path.unlink(missing_ok=True)

    def headers(self) -> dict[str, str]:
        """Return the headers of the request for the rest; of the whole file if nothing has come."""
        headers = {"Accept-Encoding": "identity"}
        if self.n_bytes:
            headers["Range"] = f"bytes={self.n_bytes}-"
            if self._validator:
                headers["If-Range"] = self._validator
        return headers

    def take(self, response: httpx2.Response) -> None:
        """Append the body of an answer, or begin anew if the server sends the whole file."""
        is_rest = response.status_code == PARTIAL
        if is_rest and _first_byte(response) != self.n_bytes:
            raise httpx2.RemoteProtocolError("the server sent another part of the file")
        if not is_rest and self.n_bytes:
            self.path.unlink(missing_ok=True)
            self._begin()
        etag = response.headers.get("ETag", "")
        self._validator = "" if etag.startswith("W/") else etag
        with self.path.open("ab") as part:
            for chunk in response.iter_raw():
                part.write(chunk)
                self._count(chunk)
                if self.file.size is not None and self.n_bytes > self.file.size:
                    return  # too much already: `verified` refuses it

    def begin_anew_unless_whole(self) -> None:
        """Discard what has come if it is not the whole file, as the server has no more of it."""
        if self.n_bytes != self.file.size:
            self.path.unlink(missing_ok=True)
            self._begin()
            raise httpx2.RemoteProtocolError("the file has become shorter")

    def verified(self) -> str:
        """Return the SHA-256 of what has come; it is discarded if it is not the file.

        Raises
        ------
        _DamagedError
            If size or a checksum differs.
        """
        fault = self._fault()
        if fault:
            self.path.unlink(missing_ok=True)
            self._begin()
            raise _DamagedError(fault)
        return self._hashes["sha256"].hexdigest()

    def _fault(self) -> str:
        if self.file.size is not None and self.n_bytes != self.file.size:
            return f"{self.n_bytes:,} bytes came instead of {self.file.size:,}"
        for algorithm, digest in self.file.checksums:
            if self._hashes[algorithm].hexdigest() != digest.lower():
                return f"its {algorithm} is not the one published"
        return ""

    def _begin(self) -> None:
        self.n_bytes = 0
        algorithms = {"sha256", *(name for name, _ in self.file.checksums)}
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=name != "md5") for name in algorithms
        }

    def _continue(self) -> None:
        with self.path.open("rb") as part:
            while chunk := part.read(CHUNK):
                self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        self.n_bytes += len(chunk)
        for one in self._hashes.values():
            one.update(chunk)


def _first_byte(response: httpx2.Response) -> int:
    """Return the place in the file at which a partial answer begins; -1 if it does not say."""
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    first = span.partition("-")[0]
    return int(first) if unit == "bytes" and first.isascii() and first.isdigit() else -1


def _reason(error: BaseException) -> str:
    """Return what a server does, without its address, which may hold a secret."""
    response = http_retry.response_of(error)
    if response is not None:
        return f"answers {response.status_code} {response.reason_phrase}".rstrip()
    if isinstance(error, httpx2.TimeoutException):
        return "does not answer"
    return f"drops the connection ({type(error).__name__})"


def _unwritable(target: Path, error: OSError) -> BuildError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildError(
            f"the disk is full at {target.parent}; free some space, then run the same command again: "
            "what has come stays"
        )
    reason = error.strerror or os.strerror(error.errno or 0)
    return BuildError(
        f"can't write {target}: {reason}; fix its permissions or choose another --root"
    )
