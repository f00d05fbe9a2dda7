"""A Hub on this machine, for tests: a thread that the real huggingface_hub and datasets talk to.

    with HubServer() as hub:
        HfApi(endpoint=hub.url, token=hub.token("alice")).create_repo("alice/nights")

Clients that read `HF_ENDPOINT` when they are imported run in a process of their own, with
`hub.environment(home, token)`. Whatever the server gets wrong itself is raised when it closes.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import hub_admin
import hub_content
import hub_xet
from hub_faults import Fault, Faults
from hub_repo import HubError, Repo
from hub_store import KINDS, Store, Token
from hub_wire import Call, Reply, answer, refusal
from patience import PATIENCE_S

BLOCK = 1 << 16

TIME_LIMITS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
"""Settings of a client that gives up after 10 s, within which a busy machine may not answer."""


@dataclass
class Request:
    """One line of the log. `status` is 0 while it runs, and for ever if the connection broke."""

    method: str
    path: str
    status: int = 0
    received: int = 0
    sent: int = 0


class Broken(Exception):
    """The connection ended before the request did, on purpose or because the client died."""


class HubServer:
    """The Hub. `requests` is the log, `faults` what is to go wrong, `store` everything it holds."""

    def __init__(self) -> None:
        self.store = Store()
        self.faults = Faults()
        self.requests: list[Request] = []
        self.errors: list[str] = []
        self.routes = [*hub_admin.ROUTES, *hub_content.ROUTES, *hub_xet.ROUTES]
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.hub = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()
        if self.errors and kind is None:
            raise RuntimeError("the test Hub failed:\n" + "\n".join(self.errors))

    def token(
        self,
        user: str,
        role: str = "write",
        *,
        scoped: Mapping[str, Iterable[str]] | None = None,
        gated: bool = False,
    ) -> str:
        """Make a token (`write`, `read`, `fineGrained`) for a user, who then exists.

        `scoped` maps a user, an organization or a repository ("alice/nights") to permissions
        ("repo.content.read", "repo.write"); `gated` lets a fine-grained token pass gates.
        """
        with self.store.lock:
            self.store.users.add(user)
            value = f"hf_{user}{role}{len(self.store.tokens):04d}"
            self.store.tokens[value] = Token(user, role, scoped or {}, gated)
        return value

    def org(self, name: str, members: Mapping[str, str]) -> None:
        """Make an organization; members have the role "admin", "write" or "read"."""
        with self.store.lock:
            self.store.orgs[name] = dict(members)

    def repo(self, name: str, kind: str = "dataset") -> Repo:
        """Look at a repository from behind. KeyError if there is none."""
        return self.store.repos[KINDS[kind], name]

    def grant(self, name: str, user: str, kind: str = "dataset") -> None:
        """Let a user through the gate of a repository."""
        self.repo(name, kind).granted.add(user)

    @property
    def quota_bytes(self) -> int | None:
        """What a namespace may keep in private repositories; None is no limit."""
        return self.store.quota_bytes

    @quota_bytes.setter
    def quota_bytes(self, limit: int | None) -> None:
        self.store.quota_bytes = limit

    def received(self, part: str = "") -> int:
        """Bytes of all request bodies so far whose `METHOD /path` holds `part`."""
        return sum(r.received for r in self.requests if part in f"{r.method} {r.path}")

    def environment(self, home: Path, token: str | None, *, xet: bool = False) -> dict[str, str]:
        """The environment of a client process: this Hub, a cache of its own, no other settings."""
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        mine |= {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
        mine |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        mine |= dict.fromkeys(TIME_LIMITS, str(int(PATIENCE_S)))
        if token is not None:
            mine["HF_TOKEN"] = token
        if xet:
            mine["HF_XET_CLIENT_RETRY_BASE_DELAY"] = "50ms"  # three faults cost 15 s otherwise
        else:
            mine["HF_HUB_DISABLE_XET"] = "1"
        return mine


class _Http(ThreadingHTTPServer):
    """Threads that are joined on closing, and connections that can be closed from outside."""

    daemon_threads = False
    request_queue_size = 128
    hub: HubServer

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Know a connection before its thread begins, which may be late."""
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def close_connections(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Keep what went wrong here; a client that went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            self.hub.errors.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """Nothing to the terminal: `HubServer.requests` is the log."""

    def _serve(self) -> None:
        line = Request(self.command, self.path)
        self.server.hub.requests.append(line)
        try:
            self._exchange(line, self.server.hub.faults.of(f"{line.method} {line.path}"))
        except (Broken, ConnectionError):
            line.status = 0
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _exchange(self, line: Request, faults: list[Fault]) -> None:
        calls = {
            at: [f.call for f in faults if f.call and f.at == at]
            for at in ("start", "middle", "done")
        }
        fault = next((f for f in faults if f.call is None), None)
        for call in calls["start"]:
            call()
        body = self._body(line, calls["middle"], cut=bool(fault and fault.drop == "request"))
        if fault and fault.status:
            reply = refusal(HubError(fault.status, "This fault was injected"))
            if fault.retry_after is not None:
                reply.headers["Retry-After"] = str(fault.retry_after)
        else:
            reply = self._reply(line, body)
        for call in calls["done"]:
            call()
        self._send(line, reply, cut=bool(fault and fault.drop == "response"))

    def _body(self, line: Request, middle: list[Any], *, cut: bool) -> bytes:
        """Read the request's body; stop in the middle of it to break off, or to call."""
        total = int(self.headers.get("Content-Length", 0))
        parts: list[bytes] = []
        paused = False
        for block in self._blocks():
            parts.append(block)
            line.received += len(block)
            if not paused and line.received >= total / 2:
                paused = True
                for call in middle:
                    call()
                if cut:
                    raise Broken
        for call in [] if paused else middle:
            call()
        if cut or line.received < total:
            raise Broken
        return b"".join(parts)

    def _blocks(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        step = min(BLOCK, max(1, (left + 1) // 2))
        while left > 0 and (block := self.rfile.read(min(step, left))):
            left -= len(block)
            yield block

    def _reply(self, line: Request, body: bytes) -> Reply:
        hub = self.server.hub
        try:
            call = Call(hub.url, line.method, line.path, self.headers, body)
            return answer(hub.store, call, hub.routes)
        except Exception:
            hub.errors.append(f"{line.method} {line.path}\n{traceback.format_exc()}")
            return refusal(HubError(500, "The test Hub itself failed"))

    def _send(self, line: Request, reply: Reply, *, cut: bool) -> None:
        data = reply.data if isinstance(reply.data, bytes) else json.dumps(reply.data).encode()
        line.status = reply.status
        self.send_response(reply.status)
        if not isinstance(reply.data, bytes):
            self.send_header("Content-Type", "application/json")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        data = b"" if line.method == "HEAD" else data
        data = data[: len(data) // 2] if cut else data
        line.sent = len(data)
        self.wfile.write(data)
        if cut:
            raise Broken
