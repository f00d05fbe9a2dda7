"""Children: processes that run Python code, none of which outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from psgimg.builder.processes.parent import CLEAN_UP_S

WATCH = "from psgimg.builder.processes import parent; parent.end_command_with"
"""What a child runs first, before it imports anything heavy."""


def run(
    code: str,
    words: Sequence[str],
    log: IO[bytes],
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    keep: Sequence[int] = (),
) -> tuple[int, float]:
    """Run Python code to its end, in a session of its own.

    If this process is interrupted or killed, the code ends with it, and so do its children.

    Parameters
    ----------
    code
        The code, in which SIGTERM ends everything.
    words
        Its arguments.
    log
        File that receives its output.
    stdin
        File that it reads as standard input.
    keep
        Descriptors that it inherits.

    Returns
    -------
    status, cpu_seconds
        Its exit status, negative for a signal, and CPU time.
    """
    watched = f"{WATCH}({os.getpid()}); {code}"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", watched, *words],
        stdin=stdin,
        stdout=log,
        stderr=log,
        pass_fds=keep,
        start_new_session=True,
    )
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _end(process)
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    _kill_group(process.pid)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a command, and kill what is left of it and of its children."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(CLEAN_UP_S)
    _kill_group(process.pid)
    process.wait()


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
