"""Markdown: the templates of ``cards`` filled in, and words from outside made safe in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template of ``psgimg.cards`` by its name; a value that is missing is an error."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML; what comes from files goes through `cell`
    )
    filters = {"n": number, "counted": counted, "size": size, "cell": cell, "code": code}
    environment.filters |= {**filters, "prose": prose, "link": link}
    source = resources.files("psgimg.cards").joinpath(template).read_text(encoding="utf-8")
    return re.sub(r"\n{3,}", "\n\n", environment.from_string(source).render(values))


def number(value: float) -> str:
    """A number with a comma at each thousand."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def counted(n: int, noun: str) -> str:
    """``3 pages``, ``1 page``."""
    return f"{number(n)} {noun}" + ("" if n == 1 else "s")


def size(n_bytes: int) -> str:
    """Size of files in decimal units, as the Hub gives it."""
    exponent = min(4, (len(str(n_bytes)) - 1) // 3)
    value = n_bytes / 1000**exponent
    return f"{value:.{0 if value >= 10 or not exponent else 1}f} {('B', 'kB', 'MB', 'GB', 'TB')[exponent]}"


def cell(words: str) -> str:
    """Text from outside, safe in a table: one line, no folder of this machine, no mark-up."""
    return _plain(" ".join(words.split()))


def code(words: str) -> str:
    """A name from outside as inline code, safe in a table."""
    return f"`{' '.join(words.replace('`', '').split())}`".replace("|", "\\|")


def prose(words: str) -> str:
    """Text from outside, safe in a paragraph: one line, no mark-up, bare addresses made links in the
    one way that every Markdown reader knows.
    """
    parts = re.split(r"(https?://[^\s<>()]*[\w/])", " ".join(words.split()))
    return "".join(f"<{part}>" if i % 2 else _plain(part) for i, part in enumerate(parts))


def link(words: str, address: str) -> str:
    """Text from outside as a link; without one if its address could be anything but a web page."""
    text = cell(words)
    return f"[{text}]({address})" if re.fullmatch(r"https?://[^\s<>()\[\]\\]+", address) else text


def _plain(line: str) -> str:
    """A line without folders of this machine and without mark-up."""
    line = re.sub(r"(?<![\w:/.])/(?:[^/\s]+/)+", "", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", line)
