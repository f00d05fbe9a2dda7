"""A review that is served in this process, and one in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import ExitStack

import httpx2
from patience import PATIENCE_S
from progress import Remembered
from psgimg.finetune.review import worklist
from psgimg.finetune.review.application import application
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.review.why import Explainer
from psgimg.finetune.review.writing import writing
from starlette.testclient import TestClient

TOKEN, HOST = "a-token", "http://testserver"
SECRET = {"X-Token": TOKEN}


class Review:
    """A review that is served in this process."""

    def __init__(self, *nights, **options):
        options = {"scorer": "anna", **options}
        self.held, self.told = ExitStack(), Remembered()
        self.config = ReviewConfig(tuple(nights), **options)
        self.worklist = self.held.enter_context(worklist.opened(self.config, self.told))
        self.writer = self.held.enter_context(writing())
        explainer = Explainer(self.config.model, self.told.note)
        self.app = application(self.worklist, self.writer, explainer, TOKEN, "review")
        self.client = TestClient(self.app, base_url=HOST, headers=SECRET)
        self.keys = list(self.worklist.nights)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.held.close()

    def get(self, path, night=0, **query):
        return self.client.get(f"/api/nights/{self.keys[night]}{path}", params=query)

    def edit(self, *edits, revision=None, night=0):
        if revision is None:
            revision = self.get("", night).json()["revision"]
        body = {"revision": revision, "edits": list(edits)}
        return self.client.post(f"/api/nights/{self.keys[night]}/edits", json=body)


ADDRESS = re.compile(r"review at (http://127\.0\.0\.1:(\d+)/)\?key=(\S+)")


class Served:
    """A running command."""

    def __init__(self, *words):
        # Its own session, and signals as in a terminal, however pytest was started.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "psgimg.builder.cli", "review", "--no-open", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if found := ADDRESS.search(line):
                self.base, self.port, token = found.groups()
                self.client = httpx2.Client(
                    base_url=self.base, headers={"X-Token": token}, timeout=PATIENCE_S
                )
                return
        raise AssertionError(f"no address: {self.said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    @property
    def key(self):
        return self.client.get("api/worklist").json()["nights"][0]["id"]

    def night(self):
        return self.client.get(f"api/nights/{self.key}").json()

    def edit(self, *edits):
        body = {"revision": self.night()["revision"], "edits": edits}
        return self.client.post(f"api/nights/{self.key}/edits", json=body)
