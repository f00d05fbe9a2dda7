"""Kill point: one command that is killed at one moment, run again to its end, and compared.

Commands run as forks of a process that has imported everything, a hundred times faster than new
interpreters. Everything they leave behind is inherited by the process of the point, which counts it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.chmod"}
"""Audit events of Python that change a file system, besides an ``open`` for writing."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SUBREAPER = 36
"""``PR_SET_CHILD_SUBREAPER``: orphans become children of this process."""

ORPHANS_S = 15.0
"""How long children may take to notice that their parent was killed."""

LIMIT_S = 300.0


@dataclass(frozen=True)
class Moment:
    """When a command is killed, and how.

    Parameters
    ----------
    event
        Before which change to the file system, counted from 1; 0 to kill by time.
    after_s
        Seconds after the start, if ``event`` is 0.
    """

    number: signal.Signals
    event: int = 0
    after_s: float = 0.0


@dataclass
class Outcome:
    """What was found at one point; counts of faults are 0 if all is right."""

    landed: bool = False
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    alive: int = 0
    wrong_exit: list[str] = field(default_factory=list)
    seconds: float = 0.0


Contents = Mapping[str, str]
"""Path → SHA-256 of a file."""


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process (Linux)."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file in a folder but logs of timings, which are of no run the same."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".timings.jsonl")
    }


def fork(run: Callable[[], Any]) -> int:
    """Run a function in a fork, which exits with the status that it raises; return its process."""
    process = os.fork()
    if process:
        return process
    status = 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command handles it
    try:
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def start(words: Sequence[str], folder: Path, log: Path, armed: Callable[[], None]) -> int:
    """Start a psgimg command in a folder, as a fork of this process."""

    def run() -> None:
        os.setsid()
        os.chdir(folder)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, place in ((null, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, place)
        sys.argv = ["psgimg", *words]
        from psgimg.builder.cli import main

        armed()
        main()

    return fork(run)


def count_events(report: Path) -> Callable[[], None]:
    """Return a function that makes this process write down how many changes it makes."""
    return lambda: _on_change(lambda n: report.write_text(str(n)) if n else None)


def kill_at(event: int, number: signal.Signals) -> Callable[[], None]:
    """Return a function that makes this process send itself a signal before a change."""
    return lambda: _on_change(lambda n: os.kill(os.getpid(), number) if n == event else None)


def nothing() -> None:
    """Let a command run to its end."""


def _on_change(act: Callable[[int], Any]) -> None:
    """Call a function with the number of each change to the file system, before it is made."""
    process, n_changes, busy = os.getpid(), 0, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal n_changes, busy
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if busy or not (writes or event in CHANGES) or os.getpid() != process:
            return
        n_changes += 1
        busy = True
        try:
            act(n_changes)
        finally:
            busy = False

    sys.addaudithook(hook)


def wait(process: int, after_s: float | None = None, number: int = signal.SIGKILL) -> int:
    """Wait for a process and return its status; send it a signal after some time."""
    limit = time.monotonic() + (LIMIT_S if after_s is None else after_s)
    sent = False
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if not sent and time.monotonic() >= limit:
            sent = True
            os.kill(process, number)
        time.sleep(0.002)


def leave_no_child(known: set[int]) -> int:
    """Wait for all children but the known ones; kill those that stay, and return their number."""
    limit = time.monotonic() + ORPHANS_S
    while others := _children() - known:
        for process in others:
            with suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
        if time.monotonic() > limit:
            break
        time.sleep(0.01)
    for process in others:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return len(others)


def _children() -> set[int]:
    """Return the children of this process."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(word) for task in tasks for word in (task / "children").read_text().split()}


def temporary(folder: Path) -> list[str]:
    """Return the files that only a running command may have."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob(".*")
        if path.suffix in {".tmp", ".part", ".lock"}
    ]


def run_point(
    words: Sequence[str],
    folder: Path,
    before: Path | None,
    moment: Moment,
    known: set[int],
) -> Outcome:
    """Kill a command at a moment and run it again to its end; the caller compares what it made."""
    outcome, began = Outcome(), time.monotonic()
    if before is not None:
        shutil.copytree(before, folder, dirs_exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.with_name(f"{folder.name}.log")
    if moment.event:
        status = wait(start(words, folder, log, kill_at(moment.event, moment.number)))
    else:
        status = wait(start(words, folder, log, nothing), moment.after_s, moment.number)
    expected = -9 if moment.number == signal.SIGKILL else 128 + moment.number
    outcome.landed = status != 0
    bare = -moment.number  # before the command has begun, or after its end
    if status not in (0, expected, bare):
        outcome.wrong_exit.append(f"{status} after {moment.number.name}")
    outcome.alive = leave_no_child(known)
    if outcome.landed and moment.number != signal.SIGKILL:
        outcome.left += [f"{name} (after {moment.number.name})" for name in temporary(folder)]
    if (status := wait(start(words, folder, log, nothing))) != 0:
        outcome.wrong_exit.append(f"{status} of the second run")
    outcome.alive += leave_no_child(known)
    outcome.seconds = time.monotonic() - began
    return outcome


def compare(
    outcome: Outcome, found: Contents, expected: Contents, timed: Sequence[str] = ()
) -> None:
    """Add the files that differ from an uninterrupted run, are missing, or are left over.

    Of files whose path matches a pattern of ``timed``, only the presence is compared.
    """
    for path in sorted({*found, *expected}):
        if path not in expected:
            outcome.left.append(path)
        elif path not in found or (
            found[path] != expected[path] and not any(fnmatch(path, one) for one in timed)
        ):
            outcome.different.append(path)
