"""A server of files over a real socket: ranges, checksums, and the faults of real services."""

import hashlib
import json
import socket
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from quiet_server import QuietServer


@contextmanager
def nobody():
    """Yield an address at which no server answers: nobody else gets its port meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class FileServer(QuietServer):
    """Serves ``files`` (path → bytes); ``faults`` (path → list of faults) come first, one a request.

    A fault is ``503``, ``429``, ``302``, ``404``, ``html``, ``drop`` (half, then the connection ends),
    ``wrong`` (other bytes), ``more`` (bytes without end) or ``hang`` (half, then nothing). Nothing is
    answered before ``gate`` is set, which it is unless a test clears it.
    """

    daemon_threads = True

    def __init__(self, handler=None):
        super().__init__(("127.0.0.1", 0), handler or FileHandler)
        self.files, self.ranges, self.redirect_to = {}, True, "/login"
        self.tags, self.hanging, self.ending = True, threading.Event(), threading.Event()
        self.faults, self.seen = defaultdict(list), []
        self.lock, self.at_once, self.at_most = threading.Lock(), 0, 0
        self.sent, self.gate = 0, threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def close(self):
        self.ending.set()
        self.gate.set()
        self.shutdown()
        self.server_close()


class FileHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        with server.lock:
            server.seen.append((path, query, self.headers.get("Range")))
            server.at_once += 1
            server.at_most = max(server.at_most, server.at_once)
            self.counted = True
            fault = server.faults[path].pop(0) if server.faults[path] else None
        server.gate.wait()
        try:
            with suppress(ConnectionError):  # a client that has what it wants, or was ended
                self.answer(path, query, fault)
        finally:
            self.count_out()

    def count_out(self, n_sent=0):
        """Count this request no more, before its client can know that it is over and make another."""
        with self.server.lock:
            self.server.sent += n_sent
            self.server.at_once -= self.counted
            self.counted = False

    def answer(self, path, query, fault):
        content = self.server.files.get(path)
        if fault in (503, 429):
            return self.reply(fault, b"busy", {"Retry-After": "0"})
        if fault == 302:
            return self.reply(302, b"", {"Location": self.server.redirect_to})
        if fault == "html":
            return self.reply(200, b"<html>sign in</html>", {"Content-Type": "text/html"})
        if content is None or fault == 404:
            return self.reply(404, b"not found", {"Content-Type": "text/html"})
        if fault == "wrong":
            content = bytes(len(content))
        return self.serve(content, fault)

    def serve(self, content, fault):
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        begin, status, headers = 0, 200, {"ETag": etag} if self.server.tags else {}
        asked = self.headers.get("Range")
        if asked and self.server.ranges and self.headers.get("If-Range", etag) == etag:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin = int(first)
            if last:
                content = content[: int(last) + 1]
            if begin >= len(content):
                return self.reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            status = 206
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        body = content[begin:]
        if fault == "hang":
            self.begin(status, len(body), headers)
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.server.hanging.set()
            self.server.ending.wait()
            return None
        if fault == "drop":
            self.begin(status, len(body), headers)
            self.wfile.write(body[: max(len(body) // 2, 1)])
            self.wfile.flush()
            self.count_out()
            self.close_connection = True
            self.connection.close()
            return None
        if fault == "more":
            body += b"\0" * 1000
        return self.reply(status, body, headers)

    def reply(self, status, body, headers):
        if not body:
            self.count_out()
        self.begin(status, len(body), headers)
        self.wfile.write(body[:-1])
        self.count_out(len(body))
        self.wfile.write(body[-1:])

    def begin(self, status, length, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/octet-stream", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def json(self, values):
        self.reply(200, json.dumps(values).encode(), {"Content-Type": "application/json"})
