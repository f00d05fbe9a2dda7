"""Compact Thrift: the encoding of the headers inside a Parquet file, which pyarrow keeps to itself.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

DEEPEST = 8
"""Structs within structs; those of Parquet's page headers are three deep."""

MOST = 4096
"""Elements of a list; page headers have none, and the sum of all is bounded by the bytes."""

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
INTEGERS = (I16, I32, I64)

Struct = dict[int, Any]
"""Values of a struct by the number of their field."""


class ShortError(ValueError):
    """The bytes end before the struct does."""


def read_struct(data: bytes, start: int = 0) -> tuple[Struct, int]:
    """Return the struct that begins at ``start``, and the position after it.

    Raises
    ------
    ShortError
        If there are too few bytes.
    ValueError
        If the bytes are no struct.
    """
    return _Reader(data, start).whole()


def number(struct: Struct, *fields: int, default: int | None = None) -> int:
    """Return the integer in a field of a struct, or of a struct in it; ``default`` if it is absent.

    Raises
    ------
    ValueError
        If there is something else, or nothing and no default.
    """
    found: Any = struct
    for field in fields:
        found = found.get(field, default) if isinstance(found, dict) else None
    if type(found) is not int:
        raise ValueError(f"field {fields} of a header is {type(found).__name__}")
    return found


class _Reader:
    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.at = data, start

    def whole(self) -> tuple[Struct, int]:
        return self.struct(DEEPEST), self.at

    def struct(self, depth: int) -> Struct:
        if not depth:
            raise ValueError("structs are nested too deep")
        values: Struct = {}
        number = 0
        while head := self.byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self.zigzag()
            values[number] = self.value(kind, depth - 1)
        return values

    def value(self, kind: int, depth: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        return self.element(kind, depth)

    def element(self, kind: int, depth: int) -> Any:
        """Read a value; in a list, unlike in a struct, a truth value has a byte of its own."""
        if kind in INTEGERS:
            return self.zigzag()
        if kind in (TRUE, FALSE, BYTE):
            return self.byte()
        if kind == DOUBLE:
            return self.take(8)
        if kind == BINARY:
            return self.take(self.varint())
        if kind in (LIST, SET):
            return self.items(depth)
        if kind == STRUCT:
            return self.struct(depth)
        raise ValueError(f"type {kind} is unknown")

    def items(self, depth: int) -> list[Any]:
        head = self.byte()
        n = head >> 4 if head >> 4 < 15 else self.varint()
        if n > MOST:
            raise ValueError(f"a list of {n} elements")
        return [self.element(head & 15, depth) for _ in range(n)]

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, n: int) -> bytes:
        found = self.data[self.at : self.at + n]
        if len(found) < n:
            raise ShortError(f"{len(found)} of {n} bytes at {self.at}")
        self.at += n
        return found

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            part = self.byte()
            value |= (part & 127) << shift
            if part < 128:
                return value
        raise ValueError("a number is longer than 10 bytes")

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)
