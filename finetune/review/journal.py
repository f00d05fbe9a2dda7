"""Journal: every edit of a review as a line of JSON, on the disk before it is confirmed.

The first line says of which night it is. A process that is killed while it writes leaves an incomplete
last line, of which nobody was told that it was saved; it is removed when the journal is opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, durable

NAME = "journal.jsonl"
VERSION = 1

BOUND = bounded.Bound("a journal of a review", 256 * bounded.MB, b"\n", 2_000_000, "lines")


class Journal:
    """The journal of one night.

    Parameters
    ----------
    head
        What the first line says of the night; a journal that says otherwise is another night's.

    Attributes
    ----------
    lines
        The values of the lines after the first, as found on the disk.

    Raises
    ------
    BuildError
        If the file can't be read or written, is damaged, or belongs to another night.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path = path
        self._head = {"journal": VERSION, **head}
        try:
            self.lines = self._opened()
            self._size = path.stat().st_size if path.exists() else 0
        except OSError as error:
            raise BuildError(atomic_file.unwritable(path, error)) from error

    def append(self, line: Mapping[str, Any]) -> None:
        """Append a line, and return once it is on the disk.

        Raises
        ------
        BuildError
            If it can't be written; the journal is then as it was.
        """
        try:
            if not self._size:
                durable.make_folder(self.path.parent)
                self._write([self._head, line])
                durable.sync_folder(self.path.parent)
            else:
                self._write([line])
        except OSError as error:
            raise BuildError(
                f"can't write {self.path}: {error.strerror or error}; free some space or fix its "
                "permissions, then make the change again"
            ) from error

    def _write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            written = 0
            while written < len(text):
                written += os.write(descriptor, text[written:])
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise
        finally:
            os.close(descriptor)
        self._size += len(text)

    def _opened(self) -> list[dict[str, Any]]:
        """Return the lines after the first, without an incomplete last one, which is removed."""
        if not self.path.exists():
            return []
        try:
            content = bounded.read_bytes(self.path, BOUND)
        except bounded.TooLargeError as error:
            raise BuildError(f"{error}; move {self.path} away") from error
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        lines = [self._parsed(line, i) for i, line in enumerate(whole.splitlines(), 1)]
        if not lines:
            return []
        for key, value in self._head.items():
            if (found := lines[0].get(key)) != value:
                raise BuildError(
                    f"{self.path} is the journal of a review with {key} {found!r}, not {value!r}; "
                    "choose another --out"
                )
        return lines[1:]

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            values = bounded.loads(line, self.path.name)
        except ValueError as error:
            raise self.damaged(number, str(error)) from error
        if not isinstance(values, dict):
            raise self.damaged(number, "no JSON object")
        return values

    def damaged(self, number: int, why: str) -> BuildError:
        """Return the error for a line, counted from 1, that no review has written."""
        return BuildError(
            f"{self.path}, line {number}: {why}; restore the file, or delete the line to give up its "
            "edits"
        )
