"""Parts: shares of a command's work that run apart, such as the tasks of a job array."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from psgimg.builder.errors import BuildError

T = TypeVar("T")

FORM = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Part:
    """Part ``number`` of ``n_parts``, counted from 1.

    Raises
    ------
    BuildError
        If there is no such part; the message names ``--part``.
    """

    number: int
    n_parts: int

    def __post_init__(self) -> None:
        if self.n_parts < 1:
            raise BuildError(f"--part {self}: give at least 1 part, such as 1/1")
        if not 1 <= self.number <= self.n_parts:
            raise BuildError(
                f"--part {self}: give 1/{self.n_parts} to {self.n_parts}/{self.n_parts}"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.n_parts}"

    def every_nth(self, items: Sequence[T]) -> Sequence[T]:
        """Return every N-th of some items, starting with the I-th."""
        return items[self.number - 1 :: self.n_parts]

    def by_hash(self, names: Iterable[str]) -> set[str]:
        """Return the names of this part; see ``dealt``."""
        numbers = dealt(names, self.n_parts)
        return {name for name, number in numbers.items() if number == self.number}


ALL = Part(1, 1)
"""The part that is all of the work."""


def dealt(names: Iterable[str], n_parts: int) -> dict[str, int]:
    """Return the number of the part of each name: all are dealt out in the order of their hashes.

    The order in which they are given makes no difference, and no part has more than one name more
    than another.
    """
    ranked = sorted(set(names), key=lambda name: (hashlib.sha256(name.encode()).digest(), name))
    return {name: rank % n_parts + 1 for rank, name in enumerate(ranked)}


def parse(text: str) -> Part:
    """Parse ``2/8``.

    Raises
    ------
    BuildError
        If it is not the number of a part and that of all parts; the message names ``--part``.
    """
    if not (found := FORM.fullmatch(text)):
        raise BuildError(f"--part {text}: use two numbers, such as 2/8")
    return Part(int(found[1]), int(found[2]))
