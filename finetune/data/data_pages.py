"""Data pages: where each value of a plain Parquet column lies in its file.

A column chunk is a sequence of data pages. Each has a header, levels that tell which values are null,
and the values, each after its length in four bytes. So a picture can be read without its neighbours,
which pyarrow does not offer. The format: https://parquet.apache.org/docs/file-format/data-pages/
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.finetune.data.compact_thrift import ShortError, Struct, number, read_struct

Read = Callable[[int, int], bytes]
"""Function of a position and a number of bytes that returns exactly those bytes of the file."""

HEADER_BYTES = 512
LONGEST_HEADER = 1 << 20
"""A header with statistics holds up to two values of the column."""

BLOCK_BYTES = 1 << 20
"""Bytes read at once while the values of a page are counted."""

LENGTH_BYTES = 4

TYPE, SIZE, CRC, OF_V1, OF_V2 = 1, 3, 4, 5, 8
"""Fields of the header of a page."""
V1, INDEX, V2 = 0, 1, 3
"""Types of page."""
PLAIN = 0


class DataPage(NamedTuple):
    """A data page of a column chunk.

    Parameters
    ----------
    first, n_values
        Its first value, counted in the column chunk, and their number.
    start, stop
        Where it begins in the file, after its header, and ends.
    level_bytes
        Size of its levels; -1 if the page itself states it.
    crc
        CRC-32 of its bytes; -1 if the header has none.
    """

    first: int
    n_values: int
    start: int
    stop: int
    level_bytes: int
    crc: int


def pages(read: Read, start: int, stop: int, n_values: int) -> list[DataPage]:
    """Return the data pages of an uncompressed, plain column chunk without nulls.

    Raises
    ------
    ValueError
        If the bytes from ``start`` to ``stop`` are none.
    """
    found: list[DataPage] = []
    first = 0
    while start < stop:
        header, start = _header(read, start, stop)
        kind, size = number(header, TYPE), number(header, SIZE)
        if not 0 <= size <= stop - start:
            raise ValueError(f"a page of {size} bytes at {start}")
        if kind in (V1, V2):
            page = _page(header, first, start, start + size)
            found.append(page)
            first += page.n_values
        elif kind != INDEX:
            raise ValueError(f"a page of kind {kind} at {start}")
        start += size
    if first != n_values:
        raise ValueError(f"{first} values, but {n_values} in the footer")
    return found


def offsets(read: Read, page: DataPage) -> npt.NDArray[np.uint32]:
    """Return where the values of a page begin, and check its CRC if it has one.

    Returns
    -------
    (n_values + 1,) uint32
        Offsets in the page. A value ends ``LENGTH_BYTES`` before the next offset.

    Raises
    ------
    ValueError
        If the page is damaged.
    """
    blocks = _Blocks(read, page)
    at = page.start
    at += page.level_bytes if page.level_bytes >= 0 else LENGTH_BYTES + blocks.number(at)
    found = np.empty(page.n_values + 1, np.uint32)
    for i in range(page.n_values):
        found[i] = at + LENGTH_BYTES - page.start
        at += LENGTH_BYTES + blocks.number(at)
    found[-1] = at + LENGTH_BYTES - page.start
    if at != page.stop:
        raise ValueError(f"the values of the page at {page.start} end at {at}, not {page.stop}")
    if page.crc >= 0 and blocks.crc() != page.crc:
        raise ValueError(f"the checksum of the page at {page.start} is wrong")
    return found


class _Blocks:
    """The bytes of a page from its start to its end, a block at a time."""

    def __init__(self, read: Read, page: DataPage) -> None:
        self._read, self._stop, self._checked = read, page.stop, page.crc >= 0
        self._start, self._next, self._block, self._crc = page.start, page.start, b"", 0

    def number(self, at: int) -> int:
        """Return the four-byte number at a position, which only grows from call to call."""
        end = at + LENGTH_BYTES
        if end > self._stop:
            raise ValueError(f"a value at {at} is beyond the end of its page, {self._stop}")
        while end > self._next:
            self._advance(at)
        return int.from_bytes(self._block[at - self._start : end - self._start], "little")

    def crc(self) -> int:
        """Return the CRC of all bytes, all of which are in blocks by now."""
        while self._next < self._stop:
            self._advance(self._next)
        return self._crc

    def _advance(self, at: int) -> None:
        more = self._read(self._next, min(BLOCK_BYTES, self._stop - self._next))
        if self._checked:
            self._crc = zlib.crc32(more, self._crc)
        rest = self._block[max(at - self._start, 0) :]
        self._start, self._block = self._next - len(rest), rest + more
        self._next += len(more)


def _header(read: Read, start: int, stop: int) -> tuple[Struct, int]:
    """Return the header of a page, and where the page begins after it."""
    size = HEADER_BYTES
    while True:
        size = min(size, stop - start)
        try:
            values, end = read_struct(read(start, size))
        except ShortError:
            if size == stop - start or size >= LONGEST_HEADER:
                raise
            size *= 4
        else:
            return values, start + end


def _page(header: Struct, first: int, start: int, stop: int) -> DataPage:
    if number(header, TYPE) == V1:
        own, encoding, level_bytes = OF_V1, 2, -1
    else:
        own, encoding = OF_V2, 4
        level_bytes = number(header, own, 5) + number(header, own, 6)
        if not 0 <= level_bytes <= stop - start:
            raise ValueError(f"levels of {level_bytes} bytes at {start}")
    n_values, encoded = number(header, own, 1), number(header, own, encoding)
    if encoded != PLAIN or not 0 <= LENGTH_BYTES * n_values <= stop - start:
        raise ValueError(f"a page of {n_values} values in encoding {encoded} at {start}")
    crc = number(header, CRC) & 0xFFFFFFFF if CRC in header else -1
    return DataPage(first, n_values, start, stop, level_bytes, crc)
