"""Content hash: hashes of the files named in a command, so that a step is redone when they change."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from psgimg.builder import atomic_file

IDENTIFYING = ("build.json", "training.json", "config.json")
"""Files that change when a dataset is rebuilt or a model is retrained."""

LONGEST_NAME = 254
"""Longer words can't be file names, and looking them up would be an error."""


def contents(words: Sequence[str]) -> dict[str, str]:
    """Return word → hash for those words that name an existing file, dataset or model."""
    hashes = {}
    for option, word in zip(["", *words], words, strict=False):
        if hashed := _content(word, option in ("--dataset", "--model", "--on")):
            hashes[word] = hashed
    return hashes


@functools.cache
def _content(word: str, folder: bool) -> str | None:
    """Return the hash of what a word names, such as a style file, a prompt, a dataset or a model.

    Between two runs, any of these may have been edited, rebuilt or retrained.
    """
    path = Path(word)
    if len(word) > LONGEST_NAME:
        return None
    if folder:
        path = next((path / name for name in IDENTIFYING if (path / name).is_file()), path)
    return atomic_file.sha256(path) if path.suffix and path.is_file() else None
