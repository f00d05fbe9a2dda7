"""Range file: a file on a server, read in pieces as if it were on disk."""

from __future__ import annotations

import io
from collections.abc import Callable

BLOCK = 4 << 20
"""Bytes of a request: few enough to repeat one, many enough that there are few."""


class RangeFile(io.RawIOBase):
    """A seekable file whose pieces are read by ``read_range(first, last)``, both included."""

    def __init__(self, size: int, read_range: Callable[[int, int], bytes]) -> None:
        self._size, self._read_range = size, read_range
        self._at = 0
        self._block: tuple[int, bytes] = (0, b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the file."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position; see :meth:`io.IOBase.seek`."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer, and return the number of bytes read; 0 at the end."""
        n = min(len(buffer), self._size - self._at)
        if n <= 0:
            return 0
        begin, block = self._block
        if not begin <= self._at < begin + len(block):
            last = min(self._at + BLOCK, self._size) - 1
            begin, block = self._at, self._read_range(self._at, last)
            self._block = begin, block
        piece = block[self._at - begin :][:n]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
