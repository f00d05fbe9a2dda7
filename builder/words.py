"""Words: numbers, sizes and lists in running text."""

from __future__ import annotations

from collections.abc import Iterable


def listed(words: Iterable[str]) -> str:
    """Join words as in a sentence: ``W, N1 and REM``; empty without any."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def number(value: float) -> str:
    """Format a number with thousands separators: ``1,234``."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def counted(n: int, noun: str) -> str:
    """Format a number with its noun: ``3 pages``, ``1 page``."""
    return f"{number(n)} {noun}" + ("" if n == 1 else "s")


def size(n_bytes: int) -> str:
    """Format a size in decimal units, as the Hub does: ``1.5 GB``."""
    exponent = min(4, (len(str(n_bytes)) - 1) // 3)
    value = n_bytes / 1000**exponent
    return f"{value:.{0 if value >= 10 or not exponent else 1}f} {('B', 'kB', 'MB', 'GB', 'TB')[exponent]}"


def percent(share: float, digits: int = 0) -> str:
    """Format a share as a percentage: ``0.125`` as ``12.5 %`` with one digit."""
    return f"{100 * share:.{digits}f} %"
