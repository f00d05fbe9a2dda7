"""YAML files: read as their reader sees them, or refused. Nothing else reads YAML from outside."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psgimg.builder.errors import BuildError

if TYPE_CHECKING:
    from yaml import MappingNode, Node, SafeLoader, ScalarNode

SUFFIXES = (".yaml", ".yml")
"""Endings by which an option that takes a name or a file knows a file."""

_TAG = "tag:yaml.org,2002:"
_AS_WRITTEN = {
    f"{_TAG}int": re.compile("0|-?[1-9][0-9]*"),
    f"{_TAG}float": re.compile(
        "[-+]?([0-9]*[.]?[0-9]*([eE][-+]?[0-9]+)?|[.](inf|Inf|INF))|[.](nan|NaN|NAN)"
    ),
    f"{_TAG}bool": re.compile("true|True|TRUE|false|False|FALSE"),
    f"{_TAG}timestamp": re.compile("(?!)"),
}
"""Per type that YAML gives a bare word, the words that a plain reader takes for the same value."""


def read(path: Path, what: str, *, empty: bool = False) -> dict[str, Any]:
    """The ``key: value`` lines of a file.

    Parameters
    ----------
    what
        What the file is, such as ``style file``: messages start with it, if any, and the path.
    empty
        Whether the file may hold nothing but comments.

    Raises
    ------
    BuildError
        If the file can't be read, is not YAML in UTF-8 or no mapping; if a key is no text or stands
        twice; if YAML takes a bare word for something else than it looks: ``0010`` for 8, ``no``
        for false, ``1_000``, ``10:30``, a date.
    """
    where = f"{what} {path}".lstrip()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{where}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BuildError(f"{where}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    return parse(text, where, empty=empty)


def parse(text: str, where: str, *, empty: bool = False) -> dict[str, Any]:
    """The ``key: value`` lines of a text, by the rules of ``read``.

    Parameters
    ----------
    where
        What messages start with.

    Raises
    ------
    BuildError
        As ``read`` does.
    """
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None and empty:
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise BuildError(f"{where}: expected `key: value` lines")
        for fault in _faults(loader, node):
            raise BuildError(f"{where}, {fault}")
        values: dict[str, Any] = loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise BuildError(f"{where}{_one_line(error)}") from error
    except RecursionError as error:
        raise BuildError(f"{where}: nested too deeply; write it flatter") from error
    return values


def check_keys(values: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse keys that nobody reads.

    Parameters
    ----------
    where
        What the message starts with: the file and, if there are several, its part.

    Raises
    ------
    BuildError
        If there is such a key; the message lists those that there are.
    """
    for key in values:
        if key not in known:
            raise BuildError(f"{where}: unknown key {key!r}; there are {', '.join(sorted(known))}")


def _faults(loader: SafeLoader, root: Node) -> Iterator[str]:
    """What would not reach psgimg as it is written, by line."""
    import yaml

    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.ScalarNode):
            yield from _changed(loader, node)
            continue
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            yield from _bad_keys(loader, node)
            parts = [value for _, value in node.value]
        new = [part for part in parts if id(part) not in seen]  # an anchor may hold its own alias
        seen.update(map(id, new))
        waiting += new


def _bad_keys(loader: SafeLoader, node: MappingNode) -> Iterator[str]:
    """Keys that are no text, or stand twice: YAML would keep the last without a word."""
    seen: set[str] = set()
    for key, _ in node.value:
        line = f"line {key.start_mark.line + 1}: "
        if key.tag == f"{_TAG}merge":
            continue
        if key.tag in _AS_WRITTEN:
            yield from _changed(loader, key)
        if key.tag != f"{_TAG}str":
            shown = key.value if isinstance(key.value, str) else "a list"
            yield f"{line}key {shown} is no text; put it in quotes"
        elif key.value in seen:
            yield f"{line}key {key.value!r} stands twice; give it once"
        seen.add(str(key.value))


def _changed(loader: SafeLoader, node: ScalarNode) -> Iterator[str]:
    """A word that YAML takes for something else than it looks."""
    looks = _AS_WRITTEN.get(node.tag)
    if looks is None or looks.fullmatch(node.value):
        return
    line, word = node.start_mark.line + 1, node.value
    if node.tag == f"{_TAG}timestamp":
        yield f"line {line}: YAML reads {word} as a date; put it in quotes"
        return
    value = loader.construct_object(node)
    value = str(value).lower() if isinstance(value, bool) else value
    yield f"line {line}: YAML reads {word} as {value}; put it in quotes, or write {value}"


def _one_line(error: Exception) -> str:
    """What a parser found wrong, and where, without its drawing of the place."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f", line {mark.line + 1}" if mark else ""
    return f"{place}: not YAML: {problem or ' '.join(str(error).split())}"
