"""Connections: the sockets of a client, so that requests in other threads can be ended at once."""

from __future__ import annotations

import logging
import socket
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from psgimg.builder.files import secrets

OPENED = ("connect_tcp.complete", "start_tls.complete")
"""Events of the client after which there is a new socket."""

PARTS = ("connection", "http11", "http2", "proxy", "socks")
"""Loggers of the client's transport, which write the headers of answers: a redirect to a page for
signing in may repeat the address. The client's own logger writes whole addresses at level INFO."""


class Connections:
    """The open connections of a client, which reports them by :meth:`trace`."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self._ended, self._lock = False, threading.Lock()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember a connection that the client has opened; its ``trace`` extension."""
        if event.endswith(OPENED):
            with self._lock:
                self._streams.add(info["return_value"])
            if self._ended:
                self.end()

    def end(self) -> None:
        """End every connection, now and later: who waits for bytes gets an error at once."""
        self._ended = True
        with self._lock:  # other threads may be opening more
            streams = list(self._streams)
        for stream in streams:
            with suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _without_secrets(record: logging.LogRecord) -> bool:
    record.msg, record.args = secrets.mask(record.getMessage()), ()
    return True


for _name in ("httpx2", *(f"httpcore2.{part}" for part in PARTS)):
    logging.getLogger(_name).addFilter(_without_secrets)
