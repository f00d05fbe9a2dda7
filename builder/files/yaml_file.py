"""YAML files: read strictly, so that no value changes its meaning silently. All user YAML goes here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.quoting import is_utf8

if TYPE_CHECKING:
    from yaml import MappingNode, Node, SafeLoader, ScalarNode

SUFFIXES = (".yaml", ".yml")
"""Suffixes by which an option that takes a name or a file recognises a file."""

MAX_DIGITS = 18
"""Maximum digits of whole numbers: more fit in no 64-bit integer."""

_TAG = "tag:yaml.org,2002:"
_AS_WRITTEN = {
    f"{_TAG}int": re.compile("0|-?[1-9][0-9]*"),
    f"{_TAG}float": re.compile(
        "[-+]?([0-9]*[.]?[0-9]*([eE][-+]?[0-9]+)?|[.](inf|Inf|INF))|[.](nan|NaN|NAN)"
    ),
    f"{_TAG}bool": re.compile("true|True|TRUE|false|False|FALSE"),
    f"{_TAG}timestamp": re.compile("(?!)"),
}
"""For each YAML type of an unquoted word, the spellings that a human reads as the same value."""


def read(path: Path, what: str, *, empty: bool = False) -> dict[str, Any]:
    """Read the ``key: value`` lines of a file.

    Parameters
    ----------
    what
        Kind of file, such as ``style file``, or ""; messages start with it and the path.
    empty
        Whether the file may contain nothing but comments.

    Raises
    ------
    BuildError
        If the file can't be read, is not YAML in UTF-8 or is no mapping; if it is too long or nested
        too deeply, or has too many values where its aliases are replaced, or an anchor that contains
        its own alias; if a key is not text or is repeated; if YAML would read an unquoted word differently than a human: ``0010`` as 8, ``no``
        as false, ``1_000``, ``10:30``, a date.
    """
    where = f"{what} {path}".lstrip()
    try:
        text = bounded.read_text(path, bounded.YAML)
    except OSError as error:
        raise BuildError(
            f"{where}: {error.strerror or error}; check the path and its permissions"
        ) from error
    except bounded.TooLargeError as error:
        raise BuildError(f"{where}: {error}; give a file of settings") from error
    except UnicodeDecodeError as error:
        raise BuildError(f"{where}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    return parse(text, where, empty=empty)


def parse(text: str, where: str, *, empty: bool = False) -> dict[str, Any]:
    """Parse the ``key: value`` lines of a text, by the rules of ``read``.

    Parameters
    ----------
    where
        Start of every message, such as the kind and path of the file.

    Raises
    ------
    BuildError
        As for ``read``.
    """
    import yaml

    _check_brackets(text, where)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None and empty:
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise BuildError(f"{where}: expected `key: value` lines")
        _check_expanded(node, where)
        for fault in _faults(loader, node):
            raise BuildError(f"{where}, {fault}")
        values: dict[str, Any] = loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise BuildError(f"{where}{_one_line(error)}") from error
    except RecursionError as error:
        raise BuildError(f"{where}: nested too deeply; use fewer levels") from error
    return values


def check_keys(values: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse unknown keys.

    Parameters
    ----------
    where
        Start of the message: the file and, if it has several, its part.

    Raises
    ------
    BuildError
        If there is an unknown key; the message lists the known ones.
    """
    for key in values:
        if key not in known:
            raise BuildError(f"{where}: unknown key {key!r}; use {', '.join(sorted(known))}")


def _check_brackets(text: str, where: str) -> None:
    """Refuse a text with many open brackets before PyYAML spends seconds on them."""
    n_open = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        n_open += 1 if bracket[0] in "[{" else -1
        if n_open > bounded.MAX_DEPTH:
            raise BuildError(f"{where}: nested too deeply; use fewer levels")


def _check_expanded(root: Node, where: str) -> None:
    """Refuse values that are nested too deeply, or too many where aliases are replaced by values.

    Aliases of aliases make a short file stand for billions of values, on which every later step,
    from a comparison to a message that quotes the value, would work for hours.
    """
    sizes: dict[int, int] = {}
    waiting: list[tuple[Node, bool]] = [(root, False)]
    open_nodes: set[int] = set()
    while waiting:
        node, done = waiting.pop()
        _check_text(node, where)
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(part)] for part in _parts(node))
        elif id(node) in open_nodes:
            line = node.start_mark.line + 1
            raise BuildError(f"{where}, line {line}: contains itself by an alias; write it out")
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            waiting.append((node, True))
            waiting += [(part, False) for part in _parts(node)]
        if len(open_nodes) > bounded.MAX_DEPTH:
            raise BuildError(f"{where}: nested too deeply; use fewer levels")
    if sizes[id(root)] > bounded.YAML.n_marks:
        raise BuildError(
            f"{where}: has {sizes[id(root)]:.4g} values where aliases are replaced by what they stand "
            "for; use fewer aliases"
        )


def _check_text(node: Node, where: str) -> None:
    """Refuse halves of surrogate pairs, which an escape can express and no file can hold."""
    if isinstance(node.value, str) and not is_utf8(node.value):
        line = node.start_mark.line + 1
        raise BuildError(
            f"{where}, line {line}: an escape is half of a surrogate pair, which is no text; "
            "write the character itself"
        )


def _parts(node: Node) -> list[Node]:
    """Return the nodes in a list or mapping, keys included; none of a scalar."""
    if isinstance(node.value, str):
        return []
    return [
        part for entry in node.value for part in (entry if isinstance(entry, tuple) else [entry])
    ]


def _faults(loader: SafeLoader, root: Node) -> Iterator[str]:
    """Yield a message, with its line, for each value that YAML would not read as it is written."""
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
    """Yield a message for each key that is not text or is repeated; YAML would keep the last one."""
    seen: set[str] = set()
    for key, _ in node.value:
        line = f"line {key.start_mark.line + 1}: "
        if key.tag == f"{_TAG}merge":
            continue
        if key.tag in _AS_WRITTEN:
            yield from _changed(loader, key)
        if key.tag != f"{_TAG}str":
            shown = key.value if isinstance(key.value, str) else "a list"
            yield f"{line}key {shown} is not text; put it in quotes"
        elif key.value in seen:
            yield f"{line}key {key.value!r} is repeated; keep one of them"
        seen.add(str(key.value))


def _changed(loader: SafeLoader, node: ScalarNode) -> Iterator[str]:
    """Yield a message for a word that YAML reads differently than a human."""
    looks = _AS_WRITTEN.get(node.tag)
    if node.tag == f"{_TAG}int" and len(node.value) > MAX_DIGITS:
        yield f"line {node.start_mark.line + 1}: a whole number of {len(node.value)} digits; check it"
        return
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
    """Return a parser's message and line, without its multi-line excerpt."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f", line {mark.line + 1}" if mark else ""
    return f"{place}: not YAML: {problem or ' '.join(str(error).split())}"
