"""Ahead: work in another thread while this one goes on, in order and a bounded number of steps ahead.

Where this process has one processor, a thread would only move data about, and there is none.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def results(work: Callable[[T], R], values: Iterable[T]) -> Iterator[Iterator[R]]:
    """Yield an iterator over the results of ``work(value)``, of which the next one is begun early."""
    if not _can_share():
        yield map(work, values)
        return
    with ThreadPoolExecutor(1) as thread:

        def each() -> Iterator[R]:
            begun: deque[Future[R]] = deque()  # keeps no result that was handed out
            for value in values:
                begun.append(thread.submit(work, value))
                if len(begun) > 1:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()

        yield each()


@contextmanager
def in_order(work: Callable[[T], None], n_waiting: int) -> Iterator[Callable[[T], None]]:
    """Yield a function that has ``work`` called with a value later; all calls have ended at the end.

    Parameters
    ----------
    n_waiting
        So many calls may wait; a further one waits for the first of them.
    """
    if not _can_share():
        yield work
        return
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as thread:

        def later(value: T) -> None:
            if len(waiting) >= n_waiting:
                waiting.popleft().result()
            waiting.append(thread.submit(work, value))

        yield later
        for call in waiting:
            call.result()


def _can_share() -> bool:
    """Return whether another thread has a processor to run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) > 1
    return (os.cpu_count() or 1) > 1
