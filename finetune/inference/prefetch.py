"""Ahead: what comes next is made in a thread while the model is busy with what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made while the caller works on the one before.

    All of them are made in one thread, one after the other: ``items`` may be a generator.
    """
    with ThreadPoolExecutor(1) as worker:
        waiting = worker.submit(_next, items)
        while there := waiting.result():
            waiting = worker.submit(_next, items)
            yield there[0]


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The same items, ``size`` at a time; fewer at the end."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """The next item in a tuple; None when there is none: a StopIteration would end the caller."""
    try:
        return (next(items),)
    except StopIteration:
        return None
