"""Work of a fleet, which its processes import: they name their device, or come to grief."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from psgimg.builder.errors import BuildError


@contextmanager
def opened(device: str, note: Callable[[str], None]) -> Iterator[str]:
    """A device on which nothing needs to be loaded."""
    note("ready")
    yield device


@contextmanager
def refused(device: str, note: Callable[[str], None]) -> Iterator[str]:
    """A device on which nothing can be loaded."""
    raise BuildError(f"{device}: no such model")
    yield device


@dataclass(frozen=True)
class Work:
    """Tells of each task by which process it was done; ``ends`` names tasks that are not."""

    killed_at: int | None = None
    fails_at: int | None = None
    breaks_at: int | None = None

    def __call__(self, device: str, tasks: Sequence[int]) -> Iterator[tuple[int, str, int]]:
        for task in tasks:
            if task == self.killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if task == self.fails_at:
                raise BuildError(f"page {task} can't be read")
            if task == self.breaks_at:
                raise ZeroDivisionError(f"task {task}")
            yield task, device, os.getpid()
