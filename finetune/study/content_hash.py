"""Contents: hashes of what a command's words name, so that a step made of other contents is another."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from psgimg.builder import atomic_file

TOLD = ("build.json", "training.json", "config.json")
"""Files that are other ones in a dataset or a model that was made anew."""

LONGEST_NAME = 254
"""Longer words are no names of files, and asking for them is an error."""


def contents(words: Sequence[str]) -> dict[str, str]:
    """Word → hash, of those that name something that is there."""
    found = {}
    for option, word in zip(["", *words], words, strict=False):
        if hashed := _content(word, option in ("--dataset", "--model")):
            found[word] = hashed
    return found


@functools.cache
def _content(word: str, folder: bool) -> str | None:
    """Hash of what a word names: a style or a prompt may be changed between two runs, a dataset
    that is there be built anew, and a model be taught anew.
    """
    path = Path(word)
    if len(word) > LONGEST_NAME:
        return None
    if folder:
        path = next((path / name for name in TOLD if (path / name).is_file()), path)
    return atomic_file.sha256(path) if path.suffix and path.is_file() else None
