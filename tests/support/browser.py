"""Browser: a real Chromium without a window, and reviews that are served to it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from in_thread import running
from patience import PATIENCE_S
from progress import Remembered

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""What Chromium and its twins are called by the packages of Linux distributions."""


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the Chromium of this machine; skip where there is none, or nothing to steer it."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(NAMES)})")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, timeout=1000 * PATIENCE_S)
        yield browser
        browser.close()


class Command:
    """`psgimg review` in a process of its own.

    Attributes
    ----------
    address
        The one that the command prints, with its token.
    """

    def __init__(self, *words: str | int | Path) -> None:
        command = [sys.executable, "-P", "-c", "from psgimg.builder.cli import main; main()"]
        self.process = subprocess.Popen(
            [*command, "review", *map(str, words), "--no-open"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        told = []
        for line in self.process.stdout:
            told.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/\?key=\S+", line):
                self.address, self.port = found[0], int(found[1])
                return
        raise AssertionError("".join(told))

    def kill(self) -> None:
        """End the process as a failure of the machine would."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def serving(*nights: Path, **options: Any) -> Iterator[str]:
    """Serve a review from this process until the block ends; give its address."""
    from psgimg.finetune.review import worklist
    from psgimg.finetune.review.application import application
    from psgimg.finetune.review.review_config import ReviewConfig
    from psgimg.finetune.review.why import Explainer
    from psgimg.finetune.review.writing import writing

    config, told = ReviewConfig(nights, **options), Remembered()
    with worklist.opened(config, told) as opened, writing() as writer:
        explainer = Explainer(config.model, told.note)
        app = application(opened, writer, explainer, "secret", "review")
        with running(app) as port:
            yield f"http://127.0.0.1:{port}/?key=secret"
