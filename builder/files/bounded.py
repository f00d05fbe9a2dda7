"""Bounded reading: the size of a file is checked before it is parsed, so that none fills the memory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MB = 1_000_000

MAX_DEPTH = 60
"""Maximum levels of lists and mappings within each other in JSON and YAML; psgimg's have under 10."""

MAX_DIGITS = 19
"""Maximum digits of a whole number: more fit in no 64-bit integer."""

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a surrogate pair as JSON writes it; two of them are a valid character."""


class TooLargeError(ValueError):
    """A file is larger than any legal one of its kind; the message gives both sizes."""


@dataclass(frozen=True)
class Bound:
    """The largest legal file of a kind.

    Parameters
    ----------
    kind
        Kind of file, for messages.
    n_bytes
        Maximum size.
    marks, n_marks
        Characters that begin a part of such a file, and how often they may occur in total. A parsed
        part takes far more memory than its text: an empty list in JSON, two bytes, takes 64.
    part
        Name of the parts, for messages.
    """

    kind: str
    n_bytes: int
    marks: bytes
    n_marks: int
    part: str

    def check(self, content: bytes, name: str) -> bytes:
        """Return the content of a file if it is within the bound.

        Raises
        ------
        TooLargeError
            If it is not.
        """
        if len(content) > self.n_bytes:
            raise self._too_large(name)
        if sum(content.count(self.marks[i : i + 1]) for i in range(len(self.marks))) > self.n_marks:
            raise TooLargeError(
                f"{name} has more than {self.n_marks:,} {self.part}, the most in {self.kind}"
            )
        return content

    def read(self, file: IO[bytes], name: str) -> bytes:
        """Return the rest of an open file, as ``check`` does; one byte above the bound ends it."""
        return self.check(file.read(self.n_bytes + 1), name)

    def _too_large(self, name: str) -> TooLargeError:
        return TooLargeError(
            f"{name} has more than {self.n_bytes / MB:g} MB, the most in {self.kind}"
        )


JSON = Bound("a JSON file of psgimg", 48 * MB, b",[{", 3_000_000, "values")
"""Settings, marks and records that do not grow with the recordings of a dataset."""

REPORT = Bound("a report of psgimg", 240 * MB, b",[{", 12_000_000, "values")
"""``build.json`` and whatever else lists recordings, each in about 1,700 bytes with 80 values."""

MOST_RECORDINGS = 100_000
"""Recordings of a dataset, so that its reports stay within ``REPORT``."""

YAML = Bound("a YAML file of settings", MB // 8, b",[{\n\r", 10_000, "values")
"""The longest lists are those of subjects; PyYAML reads about 100 kB in a second."""

TEXT = Bound("a text scoring", 8 * MB, b"\n\r", 400_000, "lines")
"""A line per second for two days, with line ends of two characters."""

XML = Bound("an XML scoring", 16 * MB, b"<=", 400_000, "tags and attributes")
"""About 30,000 scored events; a night has some hundreds."""


def read_bytes(path: Path, bound: Bound) -> bytes:
    """Return the content of a file.

    Raises
    ------
    TooLargeError
        If it is not within the bound; of a larger file, no byte beyond the bound is read.
    OSError
        If it can't be read.
    """
    with path.open("rb") as file:
        return bound.read(file, path.name)


def read_text(path: Path, bound: Bound, encoding: str = "utf-8") -> str:
    """Return the text of a file, its lines ending as in any text file that Python reads.

    Raises
    ------
    TooLargeError
        If it is not within the bound.
    OSError, UnicodeDecodeError
        If it can't be read, or is not text in this encoding.
    """
    text = read_bytes(path, bound).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, bound: Bound = JSON) -> Any:
    """Return the values of a JSON file.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is not within the bound, is not UTF-8 or not JSON, is nested too deeply, or has text
        that can't be written.
    """
    return loads(read_bytes(path, bound), path.name, bound)


def loads(content: bytes | str, name: str, bound: Bound = JSON, *, any_text: bool = False) -> Any:
    """Return the values of JSON from outside: a file, a footer or the answer of a server.

    Parameters
    ----------
    any_text
        Whether texts may have halves of surrogate pairs, which JSON can express and no file can hold.

    Raises
    ------
    ValueError
        As for ``read_json``.
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    errors = "surrogatepass" if any_text else "strict"
    try:
        text = bound.check(data, name).decode("utf-8", errors)
        values = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise _too_deep(name) from None
    _check_depth(values, name)
    if not any_text and SURROGATE.search(data):
        _check_text(values, name)
    return values


def _whole(digits: str) -> int:
    if (n := len(digits.lstrip("-"))) > MAX_DIGITS:
        raise ValueError(f"a whole number of {n} digits")
    return int(digits)


def _check_depth(values: Any, name: str) -> None:
    """Refuse values nested so deeply that code which visits them recursively would fail."""
    level: list[Any] = [[values]]
    for _ in range(MAX_DEPTH + 2):  # the list that contains the values is one more
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list  # as JSON is read; `isinstance` is slow
        ]
        if not level:
            return
    raise _too_deep(name)


def _check_text(values: Any, name: str) -> None:
    try:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half of a surrogate pair, which is no text") from None


def _too_deep(name: str) -> ValueError:
    return ValueError(f"{name} is nested more than {MAX_DEPTH} levels deep")
