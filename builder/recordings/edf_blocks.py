"""EDF blocks: the samples and annotations of one channel, read from the records of a file.

Files are read, not mapped: one that shrinks or disappears meanwhile is an error of one recording,
where a mapped one would end the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf_channels import Channel
from psgimg.builder.recordings.edf_header import EdfHeader

CHUNK_BYTES = 1 << 22
"""Of records larger than this, only the channel is read."""

AT_ONCE_BYTES = 1 << 19
"""Smaller records are read so many bytes at a time, into memory that the processor keeps near."""


def read_samples(path: Path, header: EdfHeader, channel: Channel) -> npt.NDArray[np.float64]:
    """Return the digital values of a channel, shape (n_records * n_samples,).

    Raises
    ------
    RecordingError
        If the file can no longer be read, or has become shorter.
    """
    samples = np.empty((header.n_records, channel.n_samples))
    if header.record_bytes > CHUNK_BYTES:
        for number, block in enumerate(read_blocks(path, header, channel)):
            samples[number] = np.frombuffer(block, "<i2")
        return samples.reshape(-1)
    columns = slice(channel.first, channel.first + channel.n_samples)
    n_at_once = max(1, AT_ONCE_BYTES // header.record_bytes)
    memory = memoryview(bytearray(n_at_once * header.record_bytes))
    with _opened(path) as file:
        file.seek(header.n_bytes)
        for first in range(0, header.n_records, n_at_once):
            stop = min(first + n_at_once, header.n_records)
            content = memory[: (stop - first) * header.record_bytes]
            _fill(file, content, path.name)
            records = np.frombuffer(content, "<i2").reshape(stop - first, -1)
            samples[first:stop] = records[:, columns]
    return samples.reshape(-1)


def read_blocks(
    path: Path,
    header: EdfHeader,
    channel: Channel,
    records: range | None = None,
    n_bytes: int | None = None,
) -> Iterator[bytes]:
    """Yield the bytes of a channel in each record; nothing between them is read.

    Parameters
    ----------
    records
        Numbers of the records; None for all.
    n_bytes
        Maximum number of bytes of each; None for all.

    Raises
    ------
    RecordingError
        If the file can no longer be read, or has become shorter.
    """
    whole = header.sample_bytes * channel.n_samples
    length = whole if n_bytes is None else min(n_bytes, whole)
    start, step = header.n_bytes + header.sample_bytes * channel.first, header.record_bytes
    with _opened(path) as file:
        for record in range(header.n_records) if records is None else records:
            file.seek(start + record * step)
            yield _exactly(file, length, path.name)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb", buffering=0) as file:
            yield file
    except OSError as error:
        raise unreadable(path.name, error) from error


def _fill(file: BinaryIO, memory: memoryview, where: str) -> None:
    """Read as many bytes as the memory has; RecordingError if the file has become shorter."""
    n = file.readinto(memory)  # type: ignore[attr-defined]  # files in binary mode have it
    if n < len(memory):  # a network folder may deliver fewer at a time
        memory[n:] = _exactly(file, len(memory) - n, where)


def _exactly(file: BinaryIO, n_bytes: int, where: str) -> bytes:
    """Return as many bytes; RecordingError if the file has become shorter."""
    content = file.read(n_bytes)
    if len(content) == n_bytes:
        return content
    parts = [content]  # a network folder may deliver fewer at a time
    while content and sum(map(len, parts)) < n_bytes:
        content = file.read(n_bytes - sum(map(len, parts)))
        parts.append(content)
    if sum(map(len, parts)) < n_bytes:
        raise RecordingError(
            "truncated EDF", f"{where} became shorter while it was read; get the file again"
        )
    return b"".join(parts)
