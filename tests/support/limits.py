"""Limits: run a parser in a process of its own, with bounded memory and measured time."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 2.0
MEMORY_BYTES = 500_000_000

_FORK = multiprocessing.get_context("fork")


def refusal(parse: Callable[[Path], object], path: Path) -> str:
    """Return the one line with which a parser refuses a file within 2 s and 500 MB."""
    answers, end = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_run, args=(parse, path, end))
    process.start()
    end.close()
    kind, text, took_s = answers.recv()
    process.join()
    assert kind in ("RecordingError", "BuildError"), (kind, text)
    assert took_s < SECONDS, f"{took_s:.1f} s"
    assert len(text.splitlines()) == 1
    return text


def _run(parse, path, end):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    start_s = time.process_time()
    try:
        parse(path)
        answer = ("accepted", "")
    except BaseException as error:
        answer = (type(error).__name__, str(error))
    end.send((*answer, time.process_time() - start_s))
