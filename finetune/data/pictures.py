"""Pictures: the PNG files of the pages of a split, read one by one from its shards where they lie.

Of a shard as psgimg writes it, where pictures are neither compressed nor encoded, the lengths of the
pictures of a data page are read once, and from then on each picture alone. From any other Parquet
file, pyarrow reads on from the last picture, or from the start of the recording.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import data_pages
from psgimg.finetune.data.data_pages import LENGTH_BYTES, DataPage

COLUMN = "image.bytes"
OPEN_FILES = 64
"""Shards that a process keeps open."""

PER_BATCH = 16
"""Pictures that pyarrow decodes at once."""


class Group(NamedTuple):
    """The pictures of a row group: their number, and where they are in the file.

    ``start`` and ``stop`` are None if the pictures are compressed, encoded or incomplete, so that only
    pyarrow can read them.
    """

    n_rows: int
    start: int | None
    stop: int | None


@dataclass(frozen=True)
class Shard:
    """A column of pictures in a shard, with its size and time of change when its footer was read."""

    path: Path
    n_bytes: int
    changed_ns: int
    groups: tuple[Group, ...]
    column: str = COLUMN


def located(path: Path, file: pq.ParquetFile, column: str = COLUMN) -> Shard:
    """Return where the pictures of an open shard are, from its footer.

    Raises
    ------
    ValueError
        If the shard has no pictures, or its row groups have other numbers of rows than it states.
    """
    found = path.stat()
    footer = file.metadata
    columns = [footer.schema.column(i).path for i in range(footer.num_columns)]
    number = columns.index(column)
    members = (footer.row_group(i) for i in range(footer.num_row_groups))
    groups = tuple(_group(one.num_rows, one.column(number)) for one in members)
    if (counted := sum(group.n_rows for group in groups)) != footer.num_rows:
        raise ValueError(f"its row groups have {counted} rows, but it states {footer.num_rows}")
    return Shard(path, found.st_size, found.st_mtime_ns, groups, column)


def _group(n_rows: int, chunk: Any) -> Group:
    counted = chunk.statistics
    plain = (
        chunk.compression == "UNCOMPRESSED"
        and set(chunk.encodings) <= {"PLAIN", "RLE"}
        and not chunk.has_dictionary_page
        and counted is not None
        and counted.null_count == 0
    )
    if not plain:
        return Group(n_rows, None, None)
    start = chunk.data_page_offset
    return Group(n_rows, start, start + chunk.total_compressed_size)


class Pictures:
    """The pictures of a split by row, for any number of threads and processes.

    It keeps none. Where they lie takes about 6 bytes for each page of a recording that was read.

    Parameters
    ----------
    shards
        Shards of the split, in the order of its rows.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = tuple(shards)
        self._groups = [(shard, i) for shard in self.shards for i in range(len(shard.groups))]
        counts = [shard.groups[i].n_rows for shard, i in self._groups]
        self._firsts = np.cumsum([0, *counts], dtype=np.int64)
        self._offsets: dict[int, _Offsets] = {}
        self._files: OrderedDict[Path, _File] = OrderedDict()
        self._stream: _Stream | None = None
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[type[Pictures], tuple[tuple[Shard, ...]]]:
        """Pickle the places of the shards alone: another process opens its own files."""
        return Pictures, (self.shards,)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def read(self, rows: Sequence[int]) -> list[bytes | None]:
        """Return the PNG files of some rows, in their order; None where a row has none.

        Raises
        ------
        BuildError
            If a shard is damaged, or was changed after its footer was read.
        IndexError
            If there is no such row.
        """
        return [self._picture(row) for row in rows]

    def _picture(self, row: int) -> bytes | None:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        number = int(np.searchsorted(self._firsts, row, "right")) - 1
        shard, group = self._groups[number]
        within = row - int(self._firsts[number])
        try:
            with self._lock:
                file = self._file(shard)
                if shard.groups[group].start is None:
                    return self._streamed(shard, group, within)
                place = self._located(number, file).place(within, file)
            return file.read(*place)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BuildError(
                f"{shard.path}: the picture in row {within} of row group {group} can't be read "
                f"({' '.join(str(error).split())}); build or download the shard again"
            ) from error

    def _located(self, number: int, file: _File) -> _Offsets:
        """Return where the pictures of a row group are."""
        if number not in self._offsets:
            shard, group = self._groups[number]
            self._offsets[number] = _Offsets(shard.groups[group], file)
        return self._offsets[number]

    def _file(self, shard: Shard) -> _File:
        """Return an open file; of too many, the one that was not used for longest is closed."""
        if shard.path not in self._files:
            self._files[shard.path] = _File(shard)
            if len(self._files) > OPEN_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(shard.path)
        return self._files[shard.path]

    def _streamed(self, shard: Shard, group: int, row: int) -> bytes | None:
        """Return a picture from pyarrow, which goes on from the last one if it can."""
        if self._stream is None or not self._stream.reaches(shard, group, row):
            self._stream = _Stream(shard, group)
        return self._stream.picture(row)


class _File:
    """An open shard, which is closed when nobody has it any more."""

    def __init__(self, shard: Shard) -> None:
        self._descriptor = -1
        self._descriptor = os.open(shard.path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        if (found.st_size, found.st_mtime_ns) != (shard.n_bytes, shard.changed_ns):
            raise BuildError(
                f"{shard.path} was changed while it was being read; run the command again"
            )

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, start: int, n_bytes: int) -> bytes:
        """Return some bytes, from whichever thread, without moving a position."""
        found = os.pread(self._descriptor, n_bytes, start)
        while len(found) < n_bytes:
            more = os.pread(self._descriptor, n_bytes - len(found), start + len(found))
            if not more:
                raise ValueError(f"it ends at {start + len(found)}, before {start + n_bytes}")
            found += more
        return found


class _Offsets:
    """Where the pictures of a row group are; of a data page, it is found out when it is needed."""

    def __init__(self, group: Group, file: _File) -> None:
        assert group.start is not None
        assert group.stop is not None
        found = data_pages.pages(file.read, group.start, group.stop, group.n_rows)
        self._pages = np.array(found, np.int64).reshape(-1, len(DataPage._fields))
        self._offsets = np.zeros(group.n_rows + len(found), np.uint32)

    def place(self, row: int, file: _File) -> tuple[int, int]:
        """Return position and number of bytes of a picture in its file."""
        number = int(np.searchsorted(self._pages[:, 0], row, "right")) - 1
        page = DataPage(*self._pages[number].tolist())
        first = page.first + number  # each page has an offset more than pictures
        own = self._offsets[first : first + page.n_values + 1]
        if not own[-1]:
            own[:] = data_pages.offsets(file.read, page)
        start, following = own[row - page.first : row - page.first + 2].tolist()
        return page.start + start, following - start - LENGTH_BYTES


class _Stream:
    """The pictures of a row group one after the other, as pyarrow reads any Parquet file."""

    def __init__(self, shard: Shard, group: int) -> None:
        self._place = (shard.path, group)
        self._file = pq.ParquetFile(
            shard.path,
            buffer_size=data_pages.BLOCK_BYTES,
            pre_buffer=False,  # which would read the pictures of a whole recording at once
            page_checksum_verification=True,
        )
        self._batches = self._file.iter_batches(
            PER_BATCH, [group], [shard.column], use_threads=False
        )
        self._first, self._batch = 0, self._following()

    def reaches(self, shard: Shard, group: int, row: int) -> bool:
        """Whether a picture is not before the current ones."""
        return self._place == (shard.path, group) and row >= self._first

    def picture(self, row: int) -> bytes | None:
        """Return the picture of a row."""
        while row >= self._first + len(self._batch):
            self._first += len(self._batch)
            self._batch = self._following()
        image: dict[str, Any] | None = self._batch.column(0)[row - self._first].as_py()
        return None if image is None else image["bytes"]

    def _following(self) -> pa.RecordBatch:
        batch = next(self._batches, None)
        if batch is None:
            raise ValueError("it has fewer rows than its footer says")
        return batch
