"""Path patterns: match files by patterns such as ``{subject}/{recording}.edf``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from psgimg.builder.errors import BuildError

FIELDS = ("subject", "recording", "family")
"""Fields that a pattern may contain in braces."""

_TOKEN = re.compile(
    r"\{(?P<field>\w*)\}|(?P<folders>\*\*/)|(?P<any>\*)|(?P<text>[^{}*]+)|(?P<odd>.)"
)
_ANY_FIELD = "[^/]+?"


@dataclass(frozen=True)
class PathPattern:
    """A pattern of paths relative to a folder, in POSIX form and ignoring case.

    ``{subject}`` matches one or more characters of a name, as few as possible, or the expression in
    ``fields``; if repeated, the same text. ``*`` matches anything within a name, ``**/`` any
    folders.

    Parameters
    ----------
    fields
        Field → regular expression of its values.

    Raises
    ------
    BuildError
        If the pattern leads out of the folder, or has an unknown field or an unmatched brace; the
        message does not name the file with the pattern.
    """

    text: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = self.text.split("/")
        if "" in parts or ".." in parts or "." in parts or "\\" in self.text:
            raise BuildError(
                f"{self.text!r} is not a path below the folder of the corpus; write it with /, without "
                ". and .. and without a / at either end"
            )
        if any("**" in part and part != "**" for part in parts) or parts[-1] == "**":
            raise BuildError(f"{self.text!r}: use ** only for folders, as in **/{{subject}}.edf")
        if any(token["odd"] for token in _TOKEN.finditer(self.text)):
            raise BuildError(f"{self.text!r} has an unmatched brace; write fields like {{subject}}")
        for name in self.names:
            if name not in FIELDS:
                fields = ", ".join(f"{{{field}}}" for field in FIELDS)
                raise BuildError(
                    f"{self.text!r} has the unknown field {{{name}}}; choose from {fields}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Fields of the pattern, each once."""
        fields = (token["field"] for token in _TOKEN.finditer(self.text))
        return tuple(dict.fromkeys(name for name in fields if name is not None))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return _compiled(self.text, self.fields, {})

    def match(self, path: str) -> dict[str, str] | None:
        """Return the value of each field in a path; None if the pattern does not match."""
        match = self._regex.fullmatch(path)
        values = match.groupdict() if match else None
        if values is None or any("/" in value for value in values.values()):
            return None
        return values

    def find(self, values: Mapping[str, str], files: Files) -> list[Path]:
        """Return the files that match the pattern with the given values of fields."""
        if "*" not in self.text:
            return files.named(self.text.format_map(values))
        regex = _compiled(self.text, self.fields, values)
        return [path for name, path in files.paths.items() if regex.fullmatch(name)]


class Files:
    """Files below a folder by their relative path, in POSIX form."""

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        self.paths = {path.relative_to(root).as_posix(): path for path in paths}
        self._named: dict[str, list[Path]] = defaultdict(list)
        for name, path in self.paths.items():
            self._named[name.lower()].append(path)

    def named(self, name: str) -> list[Path]:
        """Return the files with a relative path, ignoring case."""
        return self._named.get(name.lower(), [])


def check_field(name: str, regex: str) -> None:
    """Raise BuildError if a regular expression can't be used for a field."""
    try:
        n_groups = re.compile(regex).groups
    except re.error as error:
        raise BuildError(
            f"{name}: {regex!r} is not a valid regular expression ({error}); fix it"
        ) from error
    if n_groups:
        raise BuildError(f"{name}: {regex!r} has a group; write (?:…) instead of (…)")
    if re.fullmatch(regex, ""):
        raise BuildError(f"{name}: {regex!r} matches an empty name; require at least one character")


def _compiled(text: str, fields: Mapping[str, str], values: Mapping[str, str]) -> re.Pattern[str]:
    """Return the regular expression of a pattern, with the values of some fields filled in."""
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
            parts.append(
                f"(?P={name})" if name in seen else f"(?P<{name}>{_field_regex(fields, name)})"
            )
            seen.add(name)
    return re.compile("".join(parts), re.IGNORECASE)


def _field_regex(fields: Mapping[str, str], name: str) -> str:
    return fields.get(name, _ANY_FIELD)
