"""Hash cache: the SHA-256 of whole files, remembered so that an unchanged file is read only once.

    $XDG_CACHE_HOME/psgimg/hashes.jsonl     one line per file, by default under ~/.cache

A hash is trusted only while inode, size and both times of the file are those at which it was read.
The cache belongs to one user on one machine: it is never part of a dataset, on another machine
nothing matches, and a damaged or missing cache only means that files are read again. It contains no
file names, only hashes of them. The device number is left out, because network file systems get a
new one each time they are mounted.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

MAX_ENTRIES = 200_000
"""Entries kept when the file is shortened: some 70,000 nights with their scorings, 40 MB."""

COARSE_TICK_S, FINE_TICK_S = 2.0, 0.1
"""Longer than the steps in which file systems record times: whole seconds (2 on FAT), or finer."""

SECOND_NS = 10**9


@dataclass(frozen=True)
class Stamp:
    """What the file system records of a file, and changes whenever its content is changed."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp in a result of ``stat``."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Return whether a later change is certain to change the stamp.

        A file that was written twice within one step of the file system's clock may have the same
        stamp with different content. ``git`` calls such files racy.
        """
        times_ns = (self.mtime_ns, self.ctime_ns)
        is_coarse = all(at_ns % SECOND_NS == 0 for at_ns in times_ns)
        tick_ns = (COARSE_TICK_S if is_coarse else FINE_TICK_S) * SECOND_NS
        return now_ns - self.ctime_ns >= tick_ns and abs(now_ns - self.mtime_ns) >= tick_ns


@dataclass(frozen=True)
class HashedFile:
    """The SHA-256 of a whole file in hexadecimal, and the stamp under which it was read.

    ``settled`` if the stamp alone shows whether the file is still the same.
    """

    sha256: str
    stamp: Stamp
    settled: bool


class FileChangedError(Exception):
    """A file changed while it was read."""


def read(path: Path) -> HashedFile:
    """Hash a whole file, and remember the hash.

    Raises
    ------
    OSError
        If the file can't be read.
    FileChangedError
        If it changed meanwhile, as a file does that is still being copied.
    """
    with path.open("rb") as file:
        stamp = Stamp.of(os.fstat(file.fileno()))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if Stamp.of(os.fstat(file.fileno())) != stamp:
            raise FileChangedError
    hashed = HashedFile(digest, stamp, stamp.is_settled(time.time_ns()))
    if hashed.settled:
        _remember(path, hashed)
    return hashed


def remember(path: Path, sha256: str) -> HashedFile:
    """Remember the hash of a file that was hashed while it was written.

    Raises
    ------
    OSError
        If the file can't be reached.
    """
    stamp = Stamp.of(path.stat())
    hashed = HashedFile(sha256, stamp, stamp.is_settled(time.time_ns()))
    if hashed.settled:
        _remember(path, hashed)
    return hashed


def is_unchanged(path: Path, before: HashedFile) -> bool:
    """Return whether a file has the content that was hashed; it is read again only if in doubt.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    if before.settled and Stamp.of(path.stat()) == before.stamp:
        return True
    try:
        return read(path).sha256 == before.sha256
    except FileChangedError:
        return False


class HashCache:
    """The hashes remembered by this user on this machine."""

    def __init__(self, entries: Mapping[str, HashedFile]) -> None:
        self._entries = entries

    @classmethod
    def load(cls) -> HashCache:
        """Read the cache; it is empty if there is none, and damaged lines are ignored."""
        path = location()
        try:
            lines = path.read_bytes().split(b"\n") if path else []
        except OSError:
            lines = []
        entries: dict[str, HashedFile] = {}
        n_lines = 0
        for name, hashed in filter(None, map(_parsed, lines)):
            n_lines += 1
            entries.pop(name, None)  # the order is that of the last use
            entries[name] = hashed
        if path and n_lines > 2 * MAX_ENTRIES:
            _shorten(path, list(entries.items())[-MAX_ENTRIES:])
        return cls(entries)

    def get(self, path: Path) -> HashedFile | None:
        """Return the hash of a file if it is known and the file is unchanged.

        Raises
        ------
        OSError
            If the file does not exist or can't be reached, or is a pipe or device, which may have
            no end.
        """
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        stamp = Stamp.of(status)
        known = self._entries.get(_name(path))
        return known if known and known.stamp == stamp else None

    def sha256(self, path: Path) -> str:
        """Return the hash of a file, which is read only if its hash is not known.

        Raises
        ------
        OSError
            If the file can't be read, or changed meanwhile.
        """
        if known := self.get(path):
            return known.sha256
        try:
            return read(path).sha256
        except FileChangedError as error:
            raise OSError(errno.EBUSY, "changed while it was read") from error


class NewHashes:
    """The hashes of files that were just written, to be remembered as soon as they are settled."""

    def __init__(self) -> None:
        self._hashes: dict[Path, str] = {}
        self._unsettled: set[Path] = set()

    def add(self, path: Path, sha256: str) -> None:
        """Add a file."""
        self._hashes[path] = sha256
        self._unsettled.add(path)

    def get(self, path: Path) -> str | None:
        """Return the hash of a file; None if it was not added."""
        return self._hashes.get(path)

    def remember(self, *, wait: bool = False) -> None:
        """Remember the hashes of files that are settled.

        Parameters
        ----------
        wait
            Whether to wait until all are, for at most a tick of the file system's clock.

        Raises
        ------
        OSError
            If a file can't be reached.
        """
        self._remember()
        if wait and self._unsettled:
            time.sleep(FINE_TICK_S)
            self._remember()

    def _remember(self) -> None:
        for path in sorted(self._unsettled):
            if remember(path, self._hashes[path]).settled:
                self._unsettled.remove(path)


def location() -> Path | None:
    """Return the path of the cache; None for a user without a home folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # which the XDG specification demands to be ignored
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    return base / "psgimg" / "hashes.jsonl"


def _name(path: Path) -> str:
    """Return the key of a file; a hash, as paths may contain names of people."""
    absolute = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - does not read links
    return hashlib.blake2b(absolute, digest_size=12).hexdigest()


def _remember(path: Path, hashed: HashedFile) -> None:
    """Append an entry. One short write in append mode does not mix with those of other processes."""
    cache = location()
    if cache is None:
        return
    with contextlib.suppress(OSError):  # a read-only home or a full disk: no cache
        cache.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(cache, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, b"\n" + _line(_name(path), hashed))  # begins anew after a torn line
        finally:
            os.close(file)


def _line(name: str, hashed: HashedFile) -> bytes:
    """Return an entry as a line that ends with a hash of itself, so that damage is recognised."""
    values = [name, *astuple(hashed.stamp), hashed.sha256]
    return json.dumps([*values, _check(values)], separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> tuple[str, HashedFile] | None:
    try:
        *values, check = json.loads(line)
        if check != _check(values):
            return None
        name, inode, size, mtime_ns, ctime_ns, sha256 = values
    except (ValueError, TypeError, RecursionError):
        return None
    return name, HashedFile(sha256, Stamp(inode, size, mtime_ns, ctime_ns), settled=True)


def _check(values: Iterable[object]) -> str:
    text = json.dumps(list(values), separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _shorten(path: Path, entries: Iterable[tuple[str, HashedFile]]) -> None:
    """Replace the cache by some entries. Those that another process adds meanwhile may be lost."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        try:
            temporary.write_bytes(b"".join(_line(name, hashed) for name, hashed in entries))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
