"""Pool: run tasks one after another in this process, or in parallel in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from psgimg.builder.processes import parent

T = TypeVar("T")
R = TypeVar("R")

QUEUED_PER_WORKER = 2

OF_PARENT = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that a worker leaves to its parent."""


def run(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, *, crashed: Callable[[T], R]
) -> Iterator[R]:
    """Yield the results of ``work(task)`` in the order in which they are ready.

    A worker that dies (out of memory, a crash in a library) affects only its own task: the tasks
    that were in progress are repeated one by one, and a task that kills its worker again yields
    ``crashed(task)``. An exception raised by ``work`` ends the run.
    """
    if workers == 1 or len(tasks) < 2:
        yield from map(work, tasks)
        return
    queue = deque(tasks)
    while queue:
        suspects = yield from _run_pool(work, queue, workers)
        for task in suspects:
            alone = deque([task])
            if (yield from _run_pool(work, alone, 1)):
                yield crashed(task)


def _run_pool(work: Callable[[T], R], queue: deque[T], workers: int) -> Generator[R, None, list[T]]:
    """Process the queue, and return the tasks that were in progress when a worker died."""
    context = multiprocessing.get_context("spawn")
    in_progress: dict[Future[R], T] = {}
    with _left_to_parent():  # the pool starts multiprocessing's resource tracker
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=parent.end_with, initargs=(os.getpid(),)
        )
    try:
        while queue or in_progress:
            while queue and len(in_progress) < workers * QUEUED_PER_WORKER:
                with _left_to_parent():
                    in_progress[pool.submit(work, queue[0])] = queue[0]
                queue.popleft()  # only after `submit`, which a broken pool refuses: none is lost
            ready, _ = wait(in_progress, return_when=FIRST_COMPLETED)
            for future in ready:
                result = future.result()
                del in_progress[future]
                yield result
    except BrokenProcessPool:
        return list(in_progress.values())
    finally:
        _end(pool)
    return []


@contextmanager
def _left_to_parent() -> Iterator[None]:
    """Have processes that start meanwhile block signals meant for the whole command.

    A terminal sends Ctrl-C to the workers too; it is the parent that handles it and ends them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OF_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: ProcessPoolExecutor) -> None:
    """Terminate the pool's processes, so that none keeps writing after an error or Ctrl-C."""
    processes = list((pool._processes or {}).values())  # `shutdown` forgets them
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
