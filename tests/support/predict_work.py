"""A command that is killed in its midst; run by a test in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from psgimg.finetune import predict
from psgimg.finetune.inference.predict_config import PredictConfig


class Killed:
    """Kills its own process after some pages, as a power cut would."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def advance(self, n: int = 1, pages: int = 0) -> None:
        self.left -= n
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    model, dataset, out, after, per_part = sys.argv[1:]
    predict.PER_PART = int(per_part)
    predict.predict(PredictConfig(model, dataset, Path(out), batch_size=4), Killed(int(after)))
