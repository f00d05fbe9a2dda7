"""Quoting: names from outside as text that a terminal, a shell and Python take literally."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from psgimg.builder.errors import BuildError

JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji need; all others are escaped, as they hide or reorder."""

ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that are not shown as they are: control, format, surrogate, line separator."""


def visible(text: str) -> str:
    r"""Return a text as one printable line: ``\n``, ``\x1b`` and ``\u202e`` are written as escapes.

    A byte of a file name that is not UTF-8 is written as ``\xe9``.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(char) if _is_hidden(char) else char for char in text)


def is_utf8(text: str) -> bool:
    """Whether a path or argument from the system is UTF-8; Python decodes others to surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def require_utf8(text: str, where: str) -> None:
    """Refuse a path or argument that is not UTF-8, which no JSON, Parquet or Hub can hold.

    Raises
    ------
    BuildError
        With the place ``where`` it was given, and the remedy.
    """
    if is_utf8(text):
        return
    try:
        name = os.fsencode(text).decode("utf-8")
    except UnicodeError:
        remedy = "is not UTF-8; rename the file or folder, or use a link with a UTF-8 name"
        raise BuildError(f"{where}: '{visible(text)}' {remedy}") from None
    raise BuildError(f"{where}: '{name}' can't be read in this locale; set LC_ALL=C.UTF-8")


def command(*words: str | Path, **options: str | Path | Iterable[str | Path] | None) -> str:
    """Return a psgimg command that can be pasted into a shell as it is.

    Parameters
    ----------
    words
        The command's name and its arguments; a ``Path`` that begins with a dash gets ``./``.
    options
        Values of its options by name with underscores; several values repeat the option, and None
        leaves it out.

    Examples
    --------
    >>> command("predict", model=Path("my model"), dataset="org/pages")
    "psgimg predict --model 'my model' --dataset org/pages"
    """
    quoted = ["psgimg", *map(shell, words)]
    for name, value in options.items():
        values = [value] if isinstance(value, str | Path) else value or ()
        for one in values:
            quoted += [f"--{name.replace('_', '-')}", shell(one)]
    return " ".join(quoted)


def shell(word: str | Path) -> str:
    """Quote a word for a shell, only where it needs quotes."""
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):
        text = f"./{text}"
    if visible(text) == text:
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{visible(escaped)}'"


def python(text: str | Path) -> str:
    r"""Quote a text as a Python string in double quotes, as formatters write it."""
    quoted = json.dumps(str(text), ensure_ascii=False)
    return "".join(
        char.encode("unicode_escape").decode("ascii") if _is_hidden(char) else char
        for char in quoted
    )


def load_call(folder: str | Path, splits: Iterable[str]) -> str:
    """Return the Python call that opens a dataset in a folder with ``datasets``.

    ``datasets`` takes the path of a folder as a glob pattern, so that ``out [1]`` does not match
    itself. The shards in such a folder are given by patterns that do.

    Parameters
    ----------
    splits
        Splits that have pages.
    """
    if not is_pattern(folder):
        return f"load_dataset({python(folder)})"
    shards = (
        f"{python(split)}: {pattern(folder, f'data/*/{split}-*.parquet')}" for split in splits
    )
    return f'load_dataset("parquet", data_files={{{", ".join(shards)}}})'


def pattern(folder: str | Path, files: str) -> str:
    """Return the pattern of files in a folder for ``datasets``, as a Python string.

    A relative path is made absolute if the working directory has glob characters in its name.
    """
    place = Path(folder)
    if is_pattern(Path.cwd()):
        place = place.absolute()
    return python(f"{glob.escape(str(place))}/{files}")


def braces(text: str) -> str:
    """Escape braces for ``webdataset``, which expands ``{0..9}`` in a path."""
    return re.sub(r"([{}\\])", r"\\\1", text)


def is_pattern(folder: str | Path) -> bool:
    """Whether ``datasets`` takes the path of a folder as a pattern that may not match the folder."""
    return glob.has_magic(str(Path(folder).resolve()))


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in ESCAPED and char not in JOINERS


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
