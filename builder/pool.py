"""Engine: where the work runs. One task after the other here, or in a pool of processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

QUEUED_PER_WORKER = 2


def run(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, *, crashed: Callable[[T], R]
) -> Iterator[R]:
    """Results of ``work(task)`` in the order in which they are ready.

    A worker that dies (out of memory, a fault in a library) takes only its own task with it: the
    tasks that were under way are run again one by one, and one that kills its worker again gives
    ``crashed(task)``. An exception that ``work`` raises ends the run.
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
    """Work the queue off; returns the tasks that were under way when a worker died."""
    context = multiprocessing.get_context("spawn")
    under_way: dict[Future[R], T] = {}
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_watch_parent, initargs=(os.getpid(),)
    )
    try:
        while queue or under_way:
            while queue and len(under_way) < workers * QUEUED_PER_WORKER:
                under_way[pool.submit(work, queue[0])] = queue[0]
                queue.popleft()  # only now: a broken pool takes no task, and none must be lost
            ready, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in ready:
                result = future.result()
                del under_way[future]
                yield result
    except BrokenProcessPool:
        return list(under_way.values())
    finally:
        _end(pool)
    return []


def _end(pool: ProcessPoolExecutor) -> None:
    """End the pool's processes now: after an error or Ctrl-C none may go on writing."""
    processes = list((pool._processes or {}).values())  # `shutdown` forgets them
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _watch_parent(parent: int) -> None:
    """Leave when the parent is gone, even if it was killed: no orphan goes on drawing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
