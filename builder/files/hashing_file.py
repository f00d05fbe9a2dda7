"""Hashing file: a file whose bytes are hashed while it is written, so that it need not be read again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@contextmanager
def opened(path: Path, to_hash: Callable[[bytes], None] | None) -> Iterator[Path | pa.PythonFile]:
    """Open a file for PyArrow to write, whose bytes are also passed to a function if one is given."""
    if to_hash is None:
        yield path
        return
    with HashingWriter(path, to_hash) as file:
        yield pa.PythonFile(file, mode="w")


class HashingWriter(io.BufferedWriter):
    """A file whose bytes are also passed to a function that hashes them."""

    def __init__(self, path: Path, to_hash: Callable[[bytes], None]) -> None:
        super().__init__(io.FileIO(path, "w"))
        self._to_hash = to_hash

    def write(self, data: ReadableBuffer) -> int:
        """Write all of the bytes."""
        self._to_hash(bytes(data))
        return super().write(data)
