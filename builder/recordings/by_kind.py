"""ByKind: an immutable, hashable mapping from the kind of a lane to a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from psgimg.builder.recordings.montage import Kind

Value = TypeVar("Value")


class ByKind(Mapping[Kind, Value]):
    """Immutable, hashable mapping from a kind of lane to a value.

    Parameters
    ----------
    values
        Values by kind, in any order; they are stored in the order of ``Kind``.
    """

    __slots__ = ("_pairs",)

    def __init__(self, values: Mapping[Kind, Value]) -> None:
        self._pairs = tuple((kind, values[kind]) for kind in Kind if kind in values)

    def __getitem__(self, kind: Kind) -> Value:
        for own, value in self._pairs:
            if own is kind:
                return value
        raise KeyError(kind)

    def __iter__(self) -> Iterator[Kind]:
        return (kind for kind, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"ByKind({dict(self._pairs)!r})"

    def only(self, kinds: Iterable[Kind]) -> ByKind[Value]:
        """Return the mapping restricted to some kinds."""
        wanted = set(kinds)
        return ByKind({kind: value for kind, value in self._pairs if kind in wanted})
