"""Attempt: one try at a task by a worker of a cluster, which leaves a mark while it lasts.

A scheduler counts a death of a worker against every task that waited for it. The marks tell which
task was being done, wherever the workers are: they are files on the file system that all share.
"""

from __future__ import annotations

import atexit
import functools
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from psgimg.builder.errors import BuildError

T = TypeVar("T")
R = TypeVar("R")

DEATHS = 2
"""A task during which so many workers have died is not tried again."""


@dataclass(frozen=True)
class Died:
    """The result of a task during which too many workers have died."""


@dataclass(frozen=True)
class Site:
    """What the workers of a cluster must have in common with the command.

    Parameters
    ----------
    marks
        Folder for the marks of one run.
    state
        Returns the versions that decide the results.
    expected
        What it returned to the command.
    """

    marks: Path
    state: Callable[[], Any]
    expected: Any

    def deaths(self, number: int) -> int:
        """Return how many workers are doing a task, or have died during it."""
        return len(list(self.marks.glob(f"{number}-*")))


def attempt(work: Callable[[T], R], task: T, number: int, site: Site) -> R | Died:
    """Do a task, unless two workers have died during it; one at a time in a process.

    Raises
    ------
    BuildError
        If this worker has other versions, or does not see the folder of the dataset.
    """
    with _alone:
        _refuse_other(site)
        if site.deaths(number) >= DEATHS:
            return Died()
        mark = site.marks / f"{number}-{uuid.uuid4().hex}"
        mark.touch()
        _present.add(mark)
        try:
            return work(task)
        finally:
            _leave(mark)


_alone = threading.Lock()
_present: set[Path] = set()
"""The mark of the task that this process is doing."""


def _refuse_other(site: Site) -> None:
    _leave_all_at_exit()
    host = socket.gethostname()
    if (found := site.state()) != site.expected:
        raise BuildError(
            f"--cluster: a worker on {host} has {found}, and this command {site.expected}; install "
            "the same versions there"
        )
    if not site.marks.is_dir():
        raise BuildError(
            f"--cluster: a worker on {host} does not see {site.marks.parent}; use an --out that all "
            "machines share under the same path"
        )


def _leave(mark: Path) -> None:
    mark.unlink(missing_ok=True)
    _present.discard(mark)


@functools.cache
def _leave_all_at_exit() -> None:
    """Take the mark away when this process ends as it should: a worker that leaves has not died."""

    def leave() -> None:
        for mark in list(_present):
            _leave(mark)

    atexit.register(leave)
