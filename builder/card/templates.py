"""Templates: fill in the Markdown templates of ``cards``, and escape text from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from psgimg.builder.files import quoting
from psgimg.builder.signals.quality import percent
from psgimg.builder.words import counted, number, size

if TYPE_CHECKING:
    from jinja2 import Template


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template of ``psgimg.cards``, given by its name; a missing value is an error."""
    return re.sub(r"\n{3,}", "\n\n", compiled(template).render(values))


@cache
def compiled(template: str) -> Template:
    """Return a template ready to be filled in, which takes longer than filling it in."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML; text from files passes through `cell`
    )
    filters = {"n": number, "counted": counted, "size": size, "cell": cell, "code": code}
    filters |= {"python": quoting.python, "pattern": quoting.pattern, "braces": quoting.braces}
    environment.filters |= {**filters, "prose": prose, "link": link, "percent": percent}
    source = resources.files("psgimg.cards").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(source)


def cell(words: str) -> str:
    """Escape text from outside for a table: one line, no local folders, no mark-up."""
    return _plain(" ".join(words.split()))


def code(words: str) -> str:
    """Format a name from outside as inline code for a table."""
    return f"`{' '.join(words.replace('`', '').split())}`".replace("|", "\\|")


def prose(words: str) -> str:
    """Escape text from outside for a paragraph: one line, no mark-up, URLs as ``<...>`` links."""
    parts = re.split(r"(https?://[^\s<>()]*[\w/])", " ".join(words.split()))
    return "".join(f"<{part}>" if i % 2 else _plain(part) for i, part in enumerate(parts))


def link(words: str, address: str) -> str:
    """Format text from outside as a link, or as plain text if the address is not a web page."""
    text = cell(words)
    return f"[{text}]({address})" if re.fullmatch(r"https?://[^\s<>()\[\]\\]+", address) else text


def _plain(line: str) -> str:
    """Return a line without local folders, and with its mark-up escaped."""
    line = re.sub(r"(?<![\w:/.])/(?:[^/\s]+/)+", "", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", line)
