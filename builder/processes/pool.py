"""Pool: run tasks one after another in this process, or in parallel in worker processes."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from psgimg.builder.processes import parent

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)

QUEUED_PER_WORKER = 2
POLL_S = 0.05
"""How often to look whether another task has come."""

OF_PARENT = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that a worker leaves to its parent."""


class Feed(Protocol[T_co, R_co]):
    """Tasks that come one after another, such as those whose files are being fetched."""

    def __bool__(self) -> bool:
        """Whether anything is still to come."""

    def take(self, *, wait: bool) -> T_co | Ready[R_co] | None:
        """Return the next task, or the result of one that needs no work; None if none is there yet.

        Parameters
        ----------
        wait
            Whether to wait for it.
        """


@dataclass(frozen=True)
class Ready(Generic[R_co]):
    """The result of a task for which there is nothing to do any more."""

    value: R_co


class Engine(Protocol):
    """Something that does tasks: worker processes of this machine, or those of a cluster."""

    def __call__(
        self,
        work: Callable[[T], R],
        tasks: Sequence[T] | Feed[T, R],
        *,
        crashed: Callable[[T], R],
    ) -> Iterator[R]:
        """Yield the results of ``work(task)``; see ``run``."""


def _never() -> bool:
    return False


@dataclass
class Processes:
    """The engine of this machine.

    Parameters
    ----------
    stop
        Whether to begin no further task, and to end after those in progress.
    """

    workers: int
    stop: Callable[[], bool] = _never
    _started: ProcessPoolExecutor | None = field(default=None, init=False)

    @contextmanager
    def importing(self, modules: Sequence[str]) -> Iterator[Processes]:
        """Start the worker processes at once, to import modules while tasks are still being planned.

        The first tasks are theirs; without any, they end when the context does. A single worker is
        this process itself, and starts nothing.
        """
        if self.workers > 1:
            self._started = _opened(self.workers)
            with _left_to_parent():
                for _ in range(self.workers):
                    self._started.submit(_import, modules)
        try:
            yield self
        finally:
            if self._started is not None:
                _end(self._started)

    def __call__(
        self,
        work: Callable[[T], R],
        tasks: Sequence[T] | Feed[T, R],
        *,
        crashed: Callable[[T], R],
    ) -> Iterator[R]:
        """Yield the results of ``work(task)``; see ``run``."""
        return run(
            work, tasks, self.workers, crashed=crashed, stop=self.stop, opened=self._take_started
        )

    def _take_started(self) -> ProcessPoolExecutor | None:
        started, self._started = self._started, None
        return started


def _import(modules: Sequence[str]) -> None:
    for name in modules:
        importlib.import_module(name)


def _none_started() -> None:
    return None


class Listed(Generic[T]):
    """Tasks that are all known from the beginning."""

    def __init__(self, tasks: Iterable[T]) -> None:
        self._queue = deque(tasks)

    def __bool__(self) -> bool:
        return bool(self._queue)

    def take(self, *, wait: bool) -> T | None:
        """Return the next task; see ``Feed``."""
        del wait  # nothing is ever waited for
        return self._queue.popleft() if self._queue else None


def run(
    work: Callable[[T], R],
    tasks: Sequence[T] | Feed[T, R],
    workers: int,
    *,
    crashed: Callable[[T], R],
    stop: Callable[[], bool] = _never,
    opened: Callable[[], ProcessPoolExecutor | None] = _none_started,
) -> Iterator[R]:
    """Yield the results of ``work(task)`` in the order in which they are ready.

    A worker that dies (out of memory, a crash in a library) affects only its own task: the tasks
    that were in progress are repeated one by one, and a task that kills its worker again yields
    ``crashed(task)``. An exception raised by ``work`` ends the run. Once ``stop()`` is true no task
    is begun any more.

    Parameters
    ----------
    opened
        Returns worker processes that were started before, which this run takes and ends.
    """
    if isinstance(tasks, Sequence):
        workers = min(workers, len(tasks)) or 1
        feed: Feed[T, R] = Listed(tasks)
    else:
        feed = tasks
    if workers == 1:
        while feed and not stop():
            task = feed.take(wait=True)
            if task is not None:
                yield task.value if isinstance(task, Ready) else work(task)
        return
    while feed and not stop():
        suspects = yield from _run_pool(work, feed, workers, stop, opened())
        for suspect in suspects:
            if not stop() and (yield from _run_pool(work, Listed([suspect]), 1, stop)):
                yield crashed(suspect)


def _run_pool(
    work: Callable[[T], R],
    tasks: Feed[T, R],
    workers: int,
    stop: Callable[[], bool],
    pool: ProcessPoolExecutor | None = None,
) -> Generator[R, None, list[T]]:
    """Process the tasks, and return those that were in progress when a worker died."""
    in_progress: dict[Future[R], T] = {}
    queued = QUEUED_PER_WORKER if stop is _never else 1  # what is queued can't be called back
    pool = pool or _opened(workers)
    taken: T | Ready[R] | None = None
    try:
        while in_progress or ((tasks or taken is not None) and not stop()):
            while not stop() and len(in_progress) < workers * queued:
                taken = taken or (tasks.take(wait=not in_progress) if tasks else None)
                if taken is None:
                    break
                if isinstance(taken, Ready):
                    yield taken.value
                else:
                    with _left_to_parent():
                        in_progress[pool.submit(work, taken)] = taken
                taken = None  # only after `submit`, which a broken pool refuses: none is lost
            ready, _ = wait(in_progress, POLL_S if tasks and not stop() else None, FIRST_COMPLETED)
            for future in ready:
                result = future.result()
                del in_progress[future]
                yield result
    except BrokenProcessPool:
        waiting = [taken] if taken is not None and not isinstance(taken, Ready) else []
        return [*in_progress.values(), *waiting]
    finally:
        _end(pool)
    return []


def _opened(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    with _left_to_parent():  # the pool starts multiprocessing's resource tracker
        return ProcessPoolExecutor(
            workers, mp_context=context, initializer=parent.end_with, initargs=(os.getpid(),)
        )


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
