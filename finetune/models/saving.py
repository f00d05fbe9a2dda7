"""Saving: errors of the operating system that the libraries that write models hide in their own."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

RUST = re.compile(r"\(os error (\d+)\)")
"""End of the messages of safetensors and tokenizers, written in Rust, with the system's number."""

SHORT = re.compile("unexpected pos|iostream error")
"""In the messages of ``torch.save`` when less was written than asked, as on a full disk."""


@contextmanager
def system_errors() -> Iterator[None]:
    """Raise the operating system's error in place of a library's that quotes it.

    Raises
    ------
    OSError
        If a file of the model can't be written.
    """
    try:
        yield
    except Exception as error:
        if (system := system_error(error)) is None:
            raise
        raise system from error


def system_error(error: Exception) -> OSError | None:
    """Return the operating system's error that an exception is or quotes; None if there is none."""
    if isinstance(error, OSError):
        return error
    if match := RUST.search(str(error)):
        return OSError(int(match[1]), os.strerror(int(match[1])))
    if isinstance(error, RuntimeError) and SHORT.search(str(error)):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None
