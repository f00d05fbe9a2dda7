"""Gate: who may ask the server of a review, and what browsers may do with its answers.

A random token in the address lets a browser in, which then keeps it in a cookie that scripts can't
read. A request that changes something must come from a page of this server: its origin must be the
host that was asked for, whatever that is called behind `ssh -L` or the proxy of a notebook server.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer: nothing is loaded from elsewhere, and no picture is left on a disk."""

PARAMETER = "key"
"""Name of the token in the address; notebook servers take `token` for their own."""

TOKEN_HEADER = "x-token"
READING = ("GET", "HEAD")

NO_TOKEN = (
    "This page needs the whole address that `psgimg review` printed, with the token at its end; "
    "open that one.\n"
)
OTHER_ORIGIN = "A page of another server asked for a change, which is refused.\n"


class Gate:
    """Lets requests with the token through to an application.

    Parameters
    ----------
    token
        The secret.
    cookie
        Name of the cookie, which differs from that of other reviews on this machine: browsers send
        the cookies of a host to all its ports.
    """

    def __init__(self, app: ASGIApp, token: str, cookie: str) -> None:
        self._app, self._token, self._cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(Request(scope))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that is not passed on; None for one that is."""
        given = request.query_params.get(PARAMETER)
        if given is not None and request.method in READING and request.url.path == "/":
            return self._welcome(given)
        by_header = self._is_token(request.headers.get(TOKEN_HEADER))
        if not (by_header or self._is_token(request.cookies.get(self._cookie))):
            return PlainTextResponse(NO_TOKEN, 403)
        if request.method in READING:
            return None
        origin = request.headers.get("origin")
        if origin is None and by_header:  # no browser: those state where a change comes from
            return None
        if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
            return PlainTextResponse(OTHER_ORIGIN, 403)
        return None

    def _welcome(self, given: str) -> Response:
        """Return the answer to an address with a token: the same without it, and a cookie."""
        if not self._is_token(given):
            return PlainTextResponse(NO_TOKEN, 403)
        answer = RedirectResponse("./", 303)
        answer.set_cookie(self._cookie, self._token, path=None, httponly=True, samesite="strict")
        return answer

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self._token.encode())
