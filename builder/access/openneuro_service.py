"""OpenNeuro service: the files of a dataset in its public bucket, listed as S3 lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import PurePosixPath
from urllib.parse import quote

from psgimg.builder.access import s3_listing
from psgimg.builder.access.addresses import address
from psgimg.builder.access.host import Host, Notify
from psgimg.builder.access.remote_file import RemoteFile, relative
from psgimg.builder.access.s3_listing import Stored
from psgimg.builder.access.stock import Service

ADDRESS_VARIABLE = "PSGIMG_OPENNEURO_URL"
ADDRESS = "https://s3.amazonaws.com/openneuro.org"

Published = Mapping[PurePosixPath, tuple[int, str]]
"""Size and SHA-256 of files."""


class OpenNeuro(Service):
    """A dataset of OpenNeuro, such as ``ds005555``.

    Parameters
    ----------
    wanted
        Regular expression of the paths to list, relative to the dataset.
    """

    def __init__(
        self, dataset: str, wanted: str, *, connections: int, notify: Notify | None = None
    ) -> None:
        self.address = address(ADDRESS_VARIABLE, ADDRESS)
        self._dataset, self._wanted = dataset, re.compile(wanted)
        self.host = Host(
            "OpenNeuro",
            f"see https://openneuro.org/datasets/{dataset}",
            redirects=True,
            connections=connections,
            notify=notify,
        )

    def files(self) -> list[RemoteFile]:
        """Return the files of the dataset.

        Raises
        ------
        RecordingError
            If the server refuses or can't be reached, or answers in another form.
        """
        published = _published(self._dataset)
        prefix = f"{self._dataset}/"
        files = [
            self._file(stored, relative(name, "OpenNeuro"), published)
            for stored in s3_listing.listed(self.host, self.address, prefix)
            if self._wanted.fullmatch(name := stored.key.removeprefix(prefix))
        ]
        return sorted(files, key=lambda file: file.path)

    def _file(self, stored: Stored, path: PurePosixPath, published: Published) -> RemoteFile:
        size, sha256 = published.get(path, (-1, ""))
        if size == stored.size:
            checksums: tuple[tuple[str, str], ...] = (("sha256", sha256),)
        else:
            checksums = (("md5", stored.md5),) if stored.md5 else ()
        return RemoteFile(path, f"{self.address}/{quote(stored.key)}", stored.size, checksums)


def _published(dataset: str) -> Published:
    """Return size and SHA-256 of the signals of a dataset as psgimg knows them; empty if it does not.

    A file of another size is of another version of the dataset, for which they don't hold.
    """
    file = resources.files("psgimg.builder.access") / f"{dataset}_sha256.tsv"
    if not file.is_file():
        return {}
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return {PurePosixPath(path): (int(size), sha256) for path, size, sha256 in rows}
