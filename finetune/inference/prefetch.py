"""Prefetch: the next batch is prepared in a thread while the model processes the current one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


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


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """Return the next item in a tuple, or None: a StopIteration would end the calling generator."""
    try:
        return (next(items),)
    except StopIteration:
        return None
