"""Folder proxy: a real reverse proxy that puts a server into a folder, as notebook servers do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from in_thread import running
from patience import PATIENCE_S

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

FOLDER = "/user/anna/proxy/8000/"

OF_A_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}
"""Headers of a connection, which a proxy doesn't pass on (RFC 9110, section 7.6.1)."""


@contextmanager
def in_a_folder(address: str) -> Iterator[str]:
    """Serve an address in a folder of another port until the block ends; give the one to open."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    there = urlsplit(address)

    async def pass_on(request: Request) -> Response:
        url = f"{there.scheme}://{there.netloc}/{request.path_params['path']}?{request.url.query}"
        given = [(k, v) for k, v in request.headers.items() if k not in OF_A_HOP]
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
            answer = await client.request(
                request.method, url, headers=given, content=await request.body()
            )
        passed = Response(answer.content, answer.status_code)
        told = answer.headers.multi_items()
        passed.raw_headers += [(k.encode(), v.encode()) for k, v in told if k not in OF_A_HOP]
        return passed

    route = Route(FOLDER + "{path:path}", pass_on, methods=["GET", "HEAD", "POST"])
    with running(Starlette(routes=[route])) as port:
        yield f"http://127.0.0.1:{port}{FOLDER}?{there.query}"
