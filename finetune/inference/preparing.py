"""Preparing: the next batches are prepared in a thread or in processes while the model is at work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from psgimg.builder.errors import BuildError

Item = TypeVar("Item")
Task = TypeVar("Task")

MOST_LOADERS = 14
"""Processes that prepare pages as fast as an H100 scores them: with 14 it waited 1 % of the time."""
FEW_PAGES = 256
"""Up to this many pages, a thread has prepared them before processes have begun."""
QUEUED = 2
"""Batches that each process prepares ahead."""
SHARED_MEMORY = "/dev/shm"
"""Where batches lie that a process has prepared."""


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items, each computed while the caller processes the previous one.

    All items are computed in one thread, one after the other, so ``items`` may be a generator.
    """
    with ThreadPoolExecutor(1) as worker:
        waiting = worker.submit(_next, items)
        while item := waiting.result():
            waiting = worker.submit(_next, items)
            yield item[0]


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of ``size`` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def n_loaders(n_pages: int, n_devices: int, *, on_card: bool) -> int:
    """Return how many processes prepare the pages of each device; 0 for a thread.

    A model on the CPU needs all its cores itself.
    """
    if not on_card or n_pages <= FEW_PAGES:
        return 0
    n_cores = len(os.sched_getaffinity(0))
    return min(MOST_LOADERS, (n_cores - 1) // n_devices)


def in_shared_memory(n_loaders: int, batch_bytes: int) -> int:
    """Return how many of the processes have room for their batches in shared memory.

    In a container it may be as small as 64 MB, and a process that finds no room is killed.
    """
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return n_loaders
    return min(n_loaders, free // 2 // (QUEUED * max(batch_bytes, 1)))


def prepared(
    make: Callable[[Task], Item],
    tasks: Sequence[Task],
    loaders: int,
    *,
    pinned: bool,
    meanwhile: Callable[[], None],
) -> Generator[Item, None, None]:
    """Yield ``make(task)`` for each task in order, computed ahead.

    Parameters
    ----------
    loaders
        Number of processes, forked from this one; 0 for a thread.
    pinned
        Whether tensors are to lie in memory from which a card copies them in the background.
    meanwhile
        Called once, while the first task is prepared.

    Raises
    ------
    BuildError
        If a task raises one, or a process was killed.
    """
    if loaders == 0:
        meanwhile()
        yield from ahead(map(make, tasks))
        return
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(
        tasks,
        collate_fn=_Only(make),
        num_workers=min(loaders, len(tasks)),
        prefetch_factor=QUEUED,
        pin_memory=pinned,
        multiprocessing_context="fork",
    )
    try:
        items = iter(loader)
        meanwhile()
        for item in items:
            if isinstance(item, BuildError):
                raise item
            yield item
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise BuildError(
            f"a process that prepares pages has died ({' '.join(str(error).split())[:200]}), probably "
            "for want of memory; pass --loaders with a smaller number, or 0 for none"
        ) from error


@dataclass(frozen=True)
class _Only(Generic[Task, Item]):
    """Makes the only task of a batch; an error that ends the command is passed on as a value."""

    make: Callable[[Task], Item]

    def __call__(self, batch: list[Task]) -> Item | BuildError:
        try:
            return self.make(batch[0])
        except BuildError as error:
            return error


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """Return the next item in a tuple, or None: a StopIteration would end the calling generator."""
    try:
        return (next(items),)
    except StopIteration:
        return None
