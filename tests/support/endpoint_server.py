"""An OpenAI-compatible server over a real socket, with the faults of real ones."""

import base64
import io
import json
import math
import threading
from http.server import BaseHTTPRequestHandler

from patience import PATIENCE_S
from PIL import Image
from psgimg.builder.stages import STAGE_NAMES
from quiet_server import QuietServer

SHADES = dict(zip((0, 50, 100, 150, 200), STAGE_NAMES, strict=True))


KEY = "sk-not-to-be-seen"

UNSUPPORTED = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model. Only the "
    "default (1) value is supported.",
}
"""What OpenAI says of options that its newer models refuse, by the name of the option."""

SPENT = (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"})
"""Status and error of a key without quota."""


class Server(QuietServer):
    """Names the stage by the page's shade; ``faults`` come first, ``told`` makes log-probabilities."""

    daemon_threads = True
    request_queue_size = 128  # of 5, more connections at once would be tried again after seconds

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.seen, self.most, self.told, self.said = [], [], 20, True, None
        self.retry_after = "0"
        self.lock, self.at_once, self.at_most = threading.Lock(), 0, 0
        self.gate = None
        self.refused, self.finish = (), "stop"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.seen.append((self.path, self.headers.get("Authorization"), body))
            fault = server.faults.pop(0) if server.faults else None
            server.at_once += 1
            server.at_most = max(server.at_most, server.at_once)
        try:
            if server.gate is not None:
                server.gate.wait(PATIENCE_S)
            self.answer(body, fault)
        finally:
            with server.lock:
                server.at_once -= 1

    def answer(self, body, fault):
        if fault == "hang up":
            self.close_connection = True
        elif fault == "half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices"')
            self.close_connection = True
        elif isinstance(fault, bytes):
            self.send(200, fault)
        elif isinstance(fault, tuple):
            self.send(fault[0], json.dumps({"error": fault[1]}).encode())
        elif name := next((name for name in self.server.refused if name in body), None):
            error = {"message": UNSUPPORTED[name], "param": name, "code": "unsupported_parameter"}
            self.send(400, json.dumps({"error": error}).encode())
        elif fault is not None:
            self.send(
                fault, f"no: {self.headers.get('Authorization')}".encode(), self.server.retry_after
            )
        elif body.get("top_logprobs", 0) > self.server.most:
            self.send(400, b'{"error": {"message": "top_logprobs is too large"}}')
        else:
            self.send(200, json.dumps(self.reply(body)).encode())

    def send(self, status, content, retry_after=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def reply(self, body):
        url = body["messages"][-1]["content"][0]["image_url"]["url"]
        page = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
        stage = SHADES[page.getpixel((0, 0))[0]]
        said = stage if self.server.said is None else self.server.said
        choice = {
            "message": {"role": "assistant", "content": said},
            "finish_reason": self.server.finish,
        }
        if body.get("logprobs") and self.server.told:
            rest = [{"token": s, "logprob": math.log(0.05)} for s in STAGE_NAMES if s != stage]
            top = [{"token": stage, "logprob": math.log(0.7)}, *rest]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        return {"choices": [choice]}
