"""Lock: of several commands that would write to the same output, one goes on."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psgimg.builder.errors import BuildError


@contextmanager
def held(
    path: Path,
    refusal: str,
    *,
    shared: bool = False,
    needed: bool = True,
    remedy: str = "choose another --out or fix its permissions",
) -> Iterator[None]:
    """Hold a lock file; it is deleted at the end, and a killed process holds nothing.

    Parameters
    ----------
    path
        The lock file; missing parents are created.
    refusal
        Message of the error if another process holds the lock.
    shared
        Whether other processes may hold it at the same time, if they share it too.
    needed
        Whether to refuse a file system without locks; otherwise nothing is locked on one.
    remedy
        What to do if the file can't be written.

    Raises
    ------
    BuildError
        If another process holds the lock, or the file can't be written.
    """
    try:
        descriptor = _acquired(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, needed=needed)
    except BlockingIOError:
        raise BuildError(refusal) from None
    except OSError as error:
        raise BuildError(f"can't write {path}: {error.strerror or error}; {remedy}") from error
    owner = os.getpid()
    _close_in_forks()
    _open.add(descriptor)
    try:
        yield
    finally:
        if os.getpid() == owner:
            with suppress(OSError):  # others share it: the last one deletes it
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            _open.discard(descriptor)
            os.close(descriptor)


def beside(out: Path) -> Path:
    """Return the lock file of an output folder whose contents are not psgimg's alone."""
    return out.with_name(f".{out.name}.lock")


_open: set[int] = set()
"""Descriptors of the locks that this process holds."""


WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems that have no locks."""


def _acquired(path: Path, kind: int, *, needed: bool) -> int:
    """Return a descriptor that holds the lock of the file that has this path now."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # its holder deleted the folder in between
            continue
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:  # deleted by the process that held it
            pass
        except OSError as error:
            if error.errno in WITHOUT_LOCKS and not needed:
                return descriptor
            os.close(descriptor)
            raise
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@functools.cache
def _close_in_forks() -> None:
    """Have forked children close the descriptors: they would keep the locks of a killed process."""

    def close() -> None:
        for descriptor in _open:
            os.close(descriptor)
        _open.clear()

    os.register_at_fork(after_in_child=close)
