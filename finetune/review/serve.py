"""Serve: the page on which nights are reviewed, on this machine only. The main path."""

from __future__ import annotations

import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.unscored.night_views import View
from psgimg.finetune.review import gate
from psgimg.finetune.review.application import application
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.review.why import Explainer
from psgimg.finetune.review.worklist import Worklist
from psgimg.finetune.review.writing import writing

HOST = "127.0.0.1"
TOKEN_BYTES = 24
LONGEST_CLOSE_S = 5
"""Seconds that requests in progress get when the command is ended."""


def serve(
    nights: Worklist,
    config: ReviewConfig,
    note: Callable[[str], None],
    ready: Callable[[str], None],
    *,
    opens: bool,
) -> None:
    """Serve the page until the command is interrupted.

    Parameters
    ----------
    note
        Called with a line for the user.
    ready
        Called with the address once the page is served.
    opens
        Whether to open the page in the user's browser.

    Raises
    ------
    BuildError
        If the port is taken.
    """
    with _listening(config.port) as listening, writing() as writer:
        for night in nights.nights.values():  # a killed review may have left older files
            writer.changed(night)
        token, port = secrets.token_urlsafe(TOKEN_BYTES), listening.getsockname()[1]
        app = application(
            nights, writer, Explainer(config.model, note), token, f"psgimg-review-{port}"
        )
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,  # it would show the token
                server_header=False,
                timeout_graceful_shutdown=LONGEST_CLOSE_S,
            )
        )
        address = f"http://{HOST}:{port}/?{gate.PARAMETER}={token}"
        _start(_read_first, nights)
        _start(_tell, server, address, ready, opens)
        server.run(sockets=[listening])


def _start(work: Callable[..., None], *values: Any) -> None:
    """Run a function in a thread that does not delay the end of the command."""
    threading.Thread(target=work, args=values, daemon=True).start()


def _read_first(nights: Worklist) -> None:
    """Read the signals of the first night while the browser opens."""
    first = next(iter(nights.nights.values()))
    with suppress(PsgimgError):  # told when a page is asked for
        nights.views(first).lanes(View(0.0))


def _listening(port: int) -> socket.socket:
    """Return a socket on this machine's own address, which no other machine can reach."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise BuildError(
            f"--port {port}: {error.strerror or error}; choose another, or leave it out for any that "
            "is free"
        ) from error
    return listening


def _tell(server: uvicorn.Server, address: str, ready: Callable[[str], None], opens: bool) -> None:
    """Wait until the page is served, and say where."""
    while not server.started and not server.should_exit:
        time.sleep(0.02)
    if server.started:
        ready(address)
        if opens:
            webbrowser.open(address)
