"""Zenodo service: single members of an archive of a record, by Range requests.

The archives hold a night per member and are tens of GB; only the members that are drawn are read.
Python's :mod:`zipfile` unpacks them and checks their CRC-32.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psgimg.builder.access.addresses import address
from psgimg.builder.access.host import Host, Notify
from psgimg.builder.access.incoming import DamagedError, Fetched, Note, no_note, receiving
from psgimg.builder.access.range_file import RangeFile
from psgimg.builder.access.remote_file import DAMAGED, RemoteFile, relative
from psgimg.builder.access.stock import Service
from psgimg.builder.errors import RecordingError

ADDRESS_VARIABLE = "PSGIMG_ZENODO_URL"
ADDRESS = "https://zenodo.org"

CHUNK = 1 << 20
DAMAGES = (
    *(KeyError, ValueError, EOFError, OSError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What an archive or a member that can't be unpacked causes; RuntimeError if it has a password."""


class Zenodo(Service):
    """An archive of a record of Zenodo.

    Parameters
    ----------
    record
        Number of the record.
    archive
        Name of the zip file in it.
    """

    def __init__(
        self, record: int, archive: str, *, connections: int, notify: Notify | None = None
    ) -> None:
        self.address = address(ADDRESS_VARIABLE, ADDRESS)
        self._record, self._archive = record, archive
        self.host = Host(
            "Zenodo",
            f"see https://zenodo.org/records/{record}",
            redirects=True,
            connections=connections,
            notify=notify,
        )

    def files(self) -> list[RemoteFile]:
        """Return the members of the archive.

        Raises
        ------
        RecordingError
            If the server refuses or can't be reached, the record has no such archive, or the server
            has no Range requests.
        """
        url, size = self._located()
        with self._opened(url, size) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
        return [
            RemoteFile(
                relative(one.filename, "Zenodo"),
                f"{url}#{one.filename}",
                one.file_size,
                (("crc32", f"{one.CRC:08x}"),),
            )
            for one in sorted(members, key=lambda one: one.filename)
        ]

    def fetch(self, file: RemoteFile, root: Path, note: Note = no_note) -> Fetched:
        """Bring a member of the archive to its place under ``root``; see ``Host.fetch``."""
        url, size = self._located()
        with receiving(file, root) as incoming, self._opened(url, size) as archive:
            incoming.begin_anew()  # what is packed can't be continued
            try:
                incoming.append(_unpacked(archive, file.url.partition("#")[2]))
                return incoming.finish(note)
            except DamagedError as error:
                raise RecordingError(
                    DAMAGED, f"{file.name} in {self._archive} of Zenodo can't be unpacked ({error})"
                ) from None

    def _located(self) -> tuple[str, int]:
        """Return address and size of the archive."""
        record = self.host.json(f"{self.address}/api/records/{self._record}")
        try:
            entry: Any = next(one for one in record["files"] if one["key"] == self._archive)
            return str(entry["links"]["self"]), int(entry["size"])
        except (KeyError, TypeError, ValueError, StopIteration):
            raise RecordingError(
                "unreadable answer",
                f"record {self._record} of Zenodo has no {self._archive} any more; update psgimg",
            ) from None

    def _opened(self, url: str, size: int) -> zipfile.ZipFile:
        def read_range(first: int, last: int) -> bytes:
            return self.host.piece(url, first, last)

        try:
            return zipfile.ZipFile(io.BufferedReader(RangeFile(size, read_range)))
        except DAMAGES:
            raise RecordingError(
                DAMAGED, f"{self._archive} of Zenodo is not a zip archive; try again later"
            ) from None


def _unpacked(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield the content of a member; DamagedError if it can't be unpacked."""
    try:
        with archive.open(name) as member:
            while chunk := member.read(CHUNK):
                yield chunk
    except DAMAGES as error:
        raise DamagedError(str(error)) from None
