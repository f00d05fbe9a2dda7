"""Parent: a child process ends when its parent has ended, even if the parent was killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

POLL_S = 0.3

CLEAN_UP_S = 10.0
"""How long a command may clean up before its whole process group is killed."""


def end_with(parent: int) -> None:
    """End this process at once when the parent has ended, so that no orphan keeps working."""
    _watch(parent, lambda: os._exit(1))


def end_command_with(parent: int) -> None:
    """Terminate this command and its group when the parent has ended, and kill what is left.

    The process must lead its group, as :func:`children.run` starts it.
    """

    def end() -> None:
        os.killpg(os.getpid(), signal.SIGTERM)
        time.sleep(CLEAN_UP_S)
        os.killpg(os.getpid(), signal.SIGKILL)

    _watch(parent, end)


def _watch(parent: int, end: Callable[[], None]) -> None:
    """Call a function in a thread when this process has another parent than this one."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        end()

    threading.Thread(target=watch, daemon=True).start()
