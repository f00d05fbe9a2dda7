"""Words: lists in running text."""

from __future__ import annotations

from collections.abc import Iterable


def listed(words: Iterable[str]) -> str:
    """Join words as in a sentence: ``W, N1 and REM``; empty without any."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
