"""PhysioNet service: the files of an open project, from its mirror or from physionet.org.

Both hold ``SHA256SUMS.txt``, a line ``DIGEST PATH`` for every file of a version. The mirror is faster
and has no login.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from psgimg.builder.access import s3_listing
from psgimg.builder.access.addresses import address
from psgimg.builder.access.host import Host, Notify
from psgimg.builder.access.remote_file import (
    NO_ACCESS,
    UNREACHABLE,
    WITHDRAWN,
    RemoteFile,
    relative,
)
from psgimg.builder.access.stock import Service
from psgimg.builder.errors import RecordingError

ADDRESS_VARIABLE = "PSGIMG_PHYSIONET_URL"
ADDRESSES = ("https://physionet-open.s3.amazonaws.com", "https://physionet.org/files")
SUMS = "SHA256SUMS.txt"

_LINE = re.compile(r"(?P<digest>[0-9a-fA-F]{64})[ *]+(?P<path>\S.*)")


@dataclass(frozen=True)
class Project:
    """A version of a project of PhysioNet."""

    slug: str
    version: str


class PhysioNet(Service):
    """A project of PhysioNet."""

    def __init__(self, project: Project, *, connections: int, notify: Notify | None = None) -> None:
        self.address = address(ADDRESS_VARIABLE, ADDRESSES[0])
        bases = ADDRESSES if self.address == ADDRESSES[0] else [self.address]
        self._roots = [f"{base}/{project.slug}/{project.version}" for base in bases]
        self._project = project
        self.host = Host(
            "PhysioNet",
            f"see https://physionet.org/content/{project.slug}/",
            redirects=True,
            connections=connections,
            notify=notify,
        )

    def files(self) -> list[RemoteFile]:
        """Return the files of the project, from the first address that has its checksums.

        Raises
        ------
        RecordingError
            If no address has them, or they are in another form.
        """
        for root in self._roots[:-1]:
            try:
                return self._listed(root)
            except RecordingError as error:
                if error.reason not in (NO_ACCESS, WITHDRAWN, UNREACHABLE):
                    raise
        return self._listed(self._roots[-1])

    def _listed(self, root: str) -> list[RemoteFile]:
        text = self.host.text(f"{root}/{SUMS}")
        matches = [_LINE.fullmatch(line.strip()) for line in text.splitlines() if line.strip()]
        if not matches or None in matches:
            raise RecordingError(
                "unreadable answer",
                f"{SUMS} of {self._project.slug} is not a list of checksums; update psgimg",
            )
        sizes = self._sizes(root)
        files = []
        for match in filter(None, matches):
            path = relative(match["path"].removeprefix("./"), "PhysioNet")
            digest = match["digest"].lower()
            size = sizes.get(str(path))
            files.append(
                RemoteFile(path, f"{root}/{quote(str(path))}", size, (("sha256", digest),))
            )
        return sorted(files, key=lambda file: file.path)

    def _sizes(self, root: str) -> dict[str, int]:
        """Return the size of each file where the address is a bucket, which lists them."""
        prefix = f"{self._project.slug}/{self._project.version}/"
        bucket = root.removesuffix(f"/{prefix.rstrip('/')}")
        try:
            stored = list(s3_listing.listed(self.host, bucket, prefix))
        except RecordingError:
            return {}
        return {one.key.removeprefix(prefix): one.size for one in stored if one.size is not None}
