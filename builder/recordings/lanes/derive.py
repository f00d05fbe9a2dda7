"""Derive: the ways in which the channels of a file yield a derivation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

COMMON = "REF"
"""The reference of an electrode recorded without a stated reference."""

Indices = Mapping[str, Sequence[int]]
"""Indices of the channels of each derivation that a file has recorded."""

Way = tuple[str, int, int | None, int]
"""A derivation's name, the channel that is its plus, the one subtracted (None: none), and its sign."""


def plain(label: str) -> str:
    """Return a label without what varies between files of one corpus: case, spaces, dots."""
    return re.sub(r"[\s.]+", "", label).lower()


def recorded(labels: Sequence[str], channels: Mapping[str, str]) -> Indices:
    """Return the indices of the channels of each derivation, in the order of the file."""
    table = {plain(label): name for label, name in channels.items()}
    indices: defaultdict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        name = table.get(plain(label))
        if name is not None:
            indices[name].append(number)
    return dict(indices)


def derive(name: str, indices: Indices) -> Iterator[Way]:
    """Yield a derivation as recorded, then inverted, then computed from a common reference."""
    plus, _, minus = name.partition("-")
    for found, number in _electrode(plus, minus, indices):
        yield found, number, None, 1
    if not minus:
        return
    for number in indices.get(f"{minus}-{plus}", ()):
        yield name, number, None, -1
    for reference in sorted({other.partition("-")[2] or COMMON for other in indices}):
        both = product(_electrode(plus, reference, indices), _electrode(minus, reference, indices))
        for (_, first), (_, second) in both:
            yield name, first, second, 1


def _electrode(electrode: str, reference: str, indices: Indices) -> Iterator[tuple[str, int]]:
    """Yield the channels of an electrode against a reference (default REF), each with its name."""
    names = [f"{electrode}-{reference}"] if reference else []
    if reference in ("", COMMON):
        names = [electrode, f"{electrode}-{COMMON}"]
    for name in names:
        for number in indices.get(name, ()):
            yield name, number
