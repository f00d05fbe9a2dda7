"""Ahead: what comes next is made in a thread while the model is busy with what is there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """The next item in a tuple; None when there is none: a StopIteration would end the caller."""
    try:
        return (next(items),)
    except StopIteration:
        return None
