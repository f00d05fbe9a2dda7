"""Path patterns: ``{subject}/{recording}.edf`` fits files under a folder, and names whose they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from psgimg.builder.errors import BuildError

FIELDS = ("subject", "recording", "family")
"""What a pattern may name in braces."""

_TOKEN = re.compile(
    r"\{(?P<field>\w*)\}|(?P<folders>\*\*/)|(?P<any>\*)|(?P<text>[^{}*]+)|(?P<odd>.)"
)
_ANY_FIELD = "[^/]+?"


@dataclass(frozen=True)
class PathPattern:
    """A pattern of paths below a folder, in POSIX form; upper and lower case are the same.

    ``{subject}`` fits one or more characters of a name, as few as possible, or what ``fields`` says;
    standing twice, the same both times. ``*`` fits anything within a name, ``**/`` any folders.

    Parameters
    ----------
    fields
        Field → regular expression of its values.

    Raises
    ------
    BuildError
        If the pattern leaves the folder, or has an unknown field or a stray brace; the message does
        not name the file that it stands in.
    """

    text: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = self.text.split("/")
        if "" in parts or ".." in parts or "." in parts or "\\" in self.text:
            raise BuildError(
                f"{self.text!r} is no path below the corpus's folder; write it with /, without . and "
                ".. and without a / at either end"
            )
        if any("**" in part and part != "**" for part in parts) or parts[-1] == "**":
            raise BuildError(f"{self.text!r}: ** stands for folders, as in **/{{subject}}.edf")
        if any(token["odd"] for token in _TOKEN.finditer(self.text)):
            raise BuildError(
                f"{self.text!r} has a brace without its partner; fields are {{subject}}"
            )
        for name in self.names:
            if name not in FIELDS:
                known = ", ".join(f"{{{known}}}" for known in FIELDS)
                raise BuildError(f"{self.text!r} has the field {{{name}}}; there are {known}")

    @property
    def names(self) -> tuple[str, ...]:
        """Fields of the pattern, each once."""
        found = (token["field"] for token in _TOKEN.finditer(self.text))
        return tuple(dict.fromkeys(name for name in found if name is not None))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return _compiled(self.text, self.fields, {})

    def match(self, path: str) -> dict[str, str] | None:
        """Value of each field in a path that the pattern fits; None if it does not."""
        found = self._regex.fullmatch(path)
        values = found.groupdict() if found else None
        if values is None or any("/" in value for value in values.values()):
            return None
        return values

    def find(self, values: Mapping[str, str], files: Files) -> list[Path]:
        """Files that the pattern fits with the fields' values filled in."""
        if "*" not in self.text:
            return files.named(self.text.format_map(values))
        regex = _compiled(self.text, self.fields, values)
        return [path for name, path in files.paths.items() if regex.fullmatch(name)]


class Files:
    """Files below a folder by their path from there, in POSIX form."""

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        self.paths = {path.relative_to(root).as_posix(): path for path in paths}
        self._named: dict[str, list[Path]] = defaultdict(list)
        for name, path in self.paths.items():
            self._named[name.lower()].append(path)

    def named(self, name: str) -> list[Path]:
        """Files of a name, whatever its case."""
        return self._named.get(name.lower(), [])


def check_field(name: str, regex: str) -> None:
    """Refuse a regular expression that can't stand for a field (BuildError)."""
    try:
        n_groups = re.compile(regex).groups
    except re.error as error:
        raise BuildError(f"{name}: {regex!r} is no regular expression ({error})") from error
    if n_groups:
        raise BuildError(f"{name}: {regex!r} has a group; write (?:…) instead of (…)")
    if re.fullmatch(regex, ""):
        raise BuildError(f"{name}: {regex!r} fits an empty name; ask for a character or more")


def _compiled(text: str, fields: Mapping[str, str], values: Mapping[str, str]) -> re.Pattern[str]:
    """Regular expression of a pattern, with the values of some fields filled in."""
    parts, seen = [], set()
    for token in _TOKEN.finditer(text):
        name = token["field"]
        if token["text"]:
            parts.append(re.escape(token["text"]))
        elif name is None:
            parts.append("(?:[^/]+/)*" if token["folders"] else "[^/]*")
        elif name in values:
            parts.append(re.escape(values[name]))
        else:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{_in(fields, name)})")
            seen.add(name)
    return re.compile("".join(parts), re.IGNORECASE)


def _in(fields: Mapping[str, str], name: str) -> str:
    return fields.get(name, _ANY_FIELD)
