"""Incoming: a file that is being received, under another name until it is whole.

It is written as ``.NAME.part`` and renamed once its size and checksums are right: what has its own
name is whole. A ``.part`` that a killed process has left is continued if the server publishes a
checksum, which then shows that both pieces belong together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.access.remote_file import ALGORITHMS, RemoteFile
from psgimg.builder.errors import BuildError
from psgimg.builder.files import durable

CHUNK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """A file that came in whole: where it lies, and its SHA-256 taken while it came."""

    path: Path
    sha256: str


Note = Callable[[Path, str], None]
"""Called with a whole file that is about to get its name, and its SHA-256."""


def no_note(part: Path, sha256: str) -> None:
    """Note nothing."""


class DamagedError(Exception):
    """What came differs from what the server says of the file."""


class Incoming:
    """A file that is being received, with the hashes of what has come.

    Parameters
    ----------
    target
        Where it belongs.
    """

    def __init__(self, file: RemoteFile, target: Path) -> None:
        self.file, self.n_bytes = file, 0
        self._target, self._part = target, target.with_name(f".{target.name}.part")
        self._checksums = [pair for pair in file.checksums if pair[0] in ALGORITHMS]
        self.begin_anew(keep=self.is_proven)

    @property
    def is_proven(self) -> bool:
        """Whether a checksum will show that pieces of the file belong together."""
        return bool(self._checksums)

    def begin_anew(self, *, keep: bool = False) -> None:
        """Discard what has come, unless it can be continued."""
        self.n_bytes = 0
        names = {"sha256", *(name for name, _ in self._checksums)}
        self._hashes = {name: hashlib.new(name, usedforsecurity=name != "md5") for name in names}
        if keep and self._part.exists():
            with self._part.open("rb") as part:
                while chunk := part.read(CHUNK):
                    self._count(chunk)
        else:
            self._part.unlink(missing_ok=True)

    def append(self, chunks: Iterable[bytes]) -> None:
        """Append bytes as they come; what exceeds the file's size ends it, as that is refused."""
        size = self.file.size
        with self._part.open("ab") as part:
            for chunk in chunks:
                part.write(chunk)
                self._count(chunk)
                if size is not None and self.n_bytes > size:
                    return

    def finish(self, note: Note) -> Fetched:
        """Give the file its name.

        Parameters
        ----------
        note
            Called before, so that a process that is killed leaves no file that nobody knows of.

        Raises
        ------
        DamagedError
            If its size or a checksum is not that of the file; what has come is discarded.
        """
        if fault := self._fault():
            self.begin_anew()
            raise DamagedError(fault)
        sha256 = self._hashes["sha256"].hexdigest()
        durable.sync_file(self._part)
        note(self._part, sha256)
        durable.replace(self._part, self._target)
        return Fetched(self._target, sha256)

    def _fault(self) -> str:
        if self.file.size is not None and self.n_bytes != self.file.size:
            return f"{self.n_bytes:,} bytes came instead of {self.file.size:,}"
        for name, digest in self._checksums:
            if self._hashes[name].hexdigest() != digest.lower():
                return f"its {name} is not the one published"
        return ""

    def _count(self, chunk: bytes) -> None:
        self.n_bytes += len(chunk)
        for one in self._hashes.values():
            one.update(chunk)


@contextmanager
def receiving(file: RemoteFile, root: Path) -> Iterator[Incoming]:
    """Yield the file that is to come to its place under a folder.

    Raises
    ------
    BuildError
        If the disk is full or can't be written.
    """
    target = root / file.path
    try:
        durable.make_folder(target.parent)
        yield Incoming(file, target)
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(path: Path, error: OSError) -> BuildError:
    """Return the error for a file in the folder of a corpus that can't be written."""
    if error.errno in durable.FULL:
        return BuildError(
            f"the disk is full at {path.parent}; free some space, then run the same command again: "
            "what has come stays"
        )
    return BuildError(
        f"can't write {path}: {error.strerror or error}; fix its permissions or choose another --root"
    )
