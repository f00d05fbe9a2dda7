"""NSRR service: list and address the files of a corpus at sleepdata.org.

Facts: the source of sleepdata.org (routes ``api/v1/datasets/:slug/files.json`` and
``datasets/:slug/files/m/:medium/*path``). A token belongs into the parameter ``auth_token``; there is
no header for it. A file that may not be had is answered by a redirect.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from psgimg.builder.access.addresses import address
from psgimg.builder.access.host import Host, Notify
from psgimg.builder.access.incoming import Fetched, Note, no_note
from psgimg.builder.access.remote_file import NO_ACCESS, RemoteFile, relative
from psgimg.builder.access.stock import Service
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import bounded, secrets
from psgimg.builder.files.bounded import Bound

VARIABLE = "NSRR_TOKEN"
ADDRESS_VARIABLE = "PSGIMG_NSRR_URL"
ADDRESS = "https://sleepdata.org"
MEDIUM = "psgimg"
TOKEN_PAGE = "https://sleepdata.org/token"

TOP = "polysomnography"
UNUSED = "rpoint"
"""Part of the names of folders that hold no signal and no scoring."""

_TOKEN = Bound("a token", 1_000, b"\n\r", 10, "lines")


class Nsrr(Service):
    """The National Sleep Research Resource, asked with a user's token; a context manager.

    Parameters
    ----------
    dataset
        Its name there.
    token
        From https://sleepdata.org/token; shown in no message.
    """

    def __init__(
        self, dataset: str, token: str, *, connections: int, notify: Notify | None = None
    ) -> None:
        self._dataset = dataset
        self.address = address(ADDRESS_VARIABLE, ADDRESS, secret=True)
        self._remedy = f"check the token ({TOKEN_PAGE}) and that your data request for this dataset is approved"
        self.host = Host(
            "the NSRR",
            self._remedy,
            secret={"auth_token": token},
            connections=connections,
            notify=notify,
        )

    def fetch(self, file: RemoteFile, root: Path, note: Note = no_note) -> Fetched:
        """Bring a file to its place under ``root``; see ``Host.fetch``."""
        # The token goes to no address that was read from a file.
        return super().fetch(replace(file, url=self._url(file.path)), root, note)

    def files(self) -> list[RemoteFile]:
        """Return the files of a dataset with recordings and scorings, in name order.

        Raises
        ------
        RecordingError
            If the server refuses or can't be reached, or answers in another form.
        """
        found: list[RemoteFile] = []
        folders, seen = [TOP], {TOP}
        while folders:
            for row in self._rows(folders.pop()):
                if row.is_file:
                    found.append(row.file)
                elif UNUSED not in row.file.name and (path := str(row.file.path)) not in seen:
                    seen.add(path)  # a folder that lists itself would be asked for without end
                    folders.append(path)
        if not found:
            raise RecordingError(
                NO_ACCESS, f"the NSRR lists no files of {self._dataset} for you: {self._remedy}"
            )
        return sorted(found, key=lambda file: file.path)

    def _rows(self, folder: str) -> list[_Row]:
        url = f"{self.address}/api/v1/datasets/{self._dataset}/files.json"
        rows = self.host.json(url, {"path": folder})
        try:
            return [
                _Row(bool(row["is_file"]), self._file(row))
                for row in rows
                if not row.get("archived")
            ]
        except (TypeError, KeyError, ValueError, AttributeError):
            raise RecordingError(
                "unreadable answer",
                f"the NSRR lists the files of {self._dataset}/{folder} in an unknown form; update psgimg",
            ) from None

    def _url(self, path: PurePosixPath) -> str:
        return f"{self.address}/datasets/{self._dataset}/files/m/{MEDIUM}/{quote(str(path))}"

    def _file(self, row: Any) -> RemoteFile:
        path = relative(str(row["full_path"]), "the NSRR")
        size, md5 = row.get("file_size"), row.get("file_checksum_md5")
        return RemoteFile(
            path,
            self._url(path),
            None if size is None else int(size),
            (("md5", str(md5)),) if md5 else (),
        )


@dataclass(frozen=True)
class _Row:
    """An entry of a list: a file, or a folder in place of one."""

    is_file: bool
    file: RemoteFile


def token(file: Path | None) -> str:
    """Return the user's token from a file, or from ``NSRR_TOKEN``.

    Raises
    ------
    BuildError
        If there is none, the file may be read by others, or it does not look like a token.
    """
    if file is None:
        text, where = os.environ.get(VARIABLE, ""), VARIABLE
    else:
        text, where = _read(file), str(file)
    text = text.strip()
    if not text:
        raise BuildError(
            f"{where} has no token; get one at {TOKEN_PAGE}, and set {VARIABLE} or give --token-file FILE"
        )
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BuildError(
            f"{where} does not hold a token of the NSRR; copy it again from {TOKEN_PAGE}"
        )
    secrets.know(text)
    return text


def _read(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BuildError(f"others may read {file}; type: chmod 600 {file}")
        return bounded.read_text(file, _TOKEN)
    except OSError as error:
        raise BuildError(
            f"can't read {file}: {error.strerror or error}; give another --token-file"
        ) from error
    except ValueError:
        raise BuildError(f"{file} does not hold a token; copy it again from {TOKEN_PAGE}") from None
