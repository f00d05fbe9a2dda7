"""Remote file: a file of a corpus on a server, and what the server says of its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from psgimg.builder.errors import RecordingError
from psgimg.builder.files import safe_names

ALGORITHMS: Final = ("sha256", "md5")
"""Checksums that servers publish, as :mod:`hashlib` names them, the stronger one first."""

NO_ACCESS = "no access"
WITHDRAWN = "not on the server"
DAMAGED = "damaged in transfer"
UNREACHABLE = "server not reachable"

LONGEST_NAME = 255 - len("..part")
"""Maximum bytes of a name in a path, so that systems take the name of its ``.part`` as well."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server.

    Parameters
    ----------
    path
        Where it belongs, relative to the root folder of its corpus.
    url
        Its address, without any secret.
    size
        Bytes; None if the server does not tell.
    checksums
        Algorithm → digest in hexadecimal, of those in ``ALGORITHMS`` that the server publishes.
    """

    path: PurePosixPath
    url: str
    size: int | None = None
    checksums: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.name

    @property
    def version(self) -> str:
        """What identifies the content as far as the server tells: size and checksums."""
        return ",".join([str(self.size), *(f"{name}:{digest}" for name, digest in self.checksums)])


def relative(text: str, where: str) -> PurePosixPath:
    """Return a path from a server if it stays inside the folder that it is joined to.

    Parameters
    ----------
    where
        The service, for the message.

    Raises
    ------
    RecordingError
        If it does not.
    """
    parts = text.split("/")
    if not safe_names.is_path(text) or max(len(part.encode()) for part in parts) > LONGEST_NAME:
        raise RecordingError(
            "unsafe path", f"{where} lists {safe_names.shown(text)}, which is not a path to use"
        )
    return PurePosixPath(text)
