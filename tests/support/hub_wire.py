"""Wire: a request to the test Hub and its answer, and which endpoint answers which path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_repo import HubError, Repo
from hub_store import Store, Token

PREFIXES = {"datasets/": "datasets", "spaces/": "spaces", "": "models"}


@dataclass
class Call:
    """One request. `at` holds the parts of its path."""

    url: str
    method: str
    path: str
    headers: Message
    body: bytes = b""
    token: Token | None = None
    at: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return PREFIXES[self.at["prefix"]] if "prefix" in self.at else self.at["kind"]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    def json(self) -> Any:
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise HubError(400, f"Invalid JSON: {error}") from None


@dataclass
class Reply:
    """One answer. `data` that is not bytes is sent as JSON."""

    data: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def refusal(error: HubError) -> Reply:
    line = " ".join(error.message.split()).encode("latin-1", "replace").decode("latin-1")
    headers = {**error.headers, "X-Error-Message": line}
    if error.code:
        headers["X-Error-Code"] = error.code
    return Reply({"error": error.message}, error.status, headers)


def repo_of(hub: Store, call: Call, *, write: bool = False, content: bool = False) -> Repo:
    return hub.repo(call.token, call.kind, call.at["id"], write=write, content=content)


def author(call: Call) -> str:
    return call.token.user if call.token else ""


Endpoint = Callable[[Store, Call], Reply]
REPO = r"/api/(?P<kind>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
WEB = r"/(?P<prefix>datasets/|spaces/|)(?P<id>[^/]+/[^/]+?)"
REV = r"/(?P<rev>[^/]+)"
Routes = list[tuple[str, str, Endpoint]]


def answer(hub: Store, call: Call, routes: Routes) -> Reply:
    """Find the endpoint and let it answer. HEAD is answered like GET."""
    method = "GET" if call.method == "HEAD" else call.method
    path = urlsplit(call.path).path
    for wanted, pattern, endpoint in routes:
        match = re.fullmatch(pattern, path) if wanted == method else None
        if match:
            call.at = {name: unquote(part) for name, part in match.groupdict("").items()}
            try:
                with hub.lock:
                    call.token = _token(hub, call.headers.get("Authorization"))
                    return endpoint(hub, call)
            except HubError as error:
                return refusal(error)
    return refusal(HubError(404, f"The test Hub has no {method} {path}"))


def _token(hub: Store, header: str | None) -> Token | None:
    if header is None:
        return None
    token = hub.tokens.get(header.removeprefix("Bearer "))
    if token is None:
        raise HubError(401, "Invalid credentials in Authorization header")
    return token
