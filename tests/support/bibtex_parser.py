"""A strict reader of BibTeX: what BibTeX itself would refuse or misread is an error here."""

from __future__ import annotations

import re

ENTRY = re.compile(r"@(article|misc)\{([A-Za-z0-9-]+),\n")
FIELD = re.compile(r"  ([a-z]+) = \{")
COMMANDS = {
    r"\textbackslash{}": "\\",
    r"\textbraceleft{}": "{",
    r"\textbraceright{}": "}",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    **{f"\\{sign}": sign for sign in "&%$#_"},
}


def entries(text: str) -> dict[str, dict[str, str]]:
    """Return the fields of each entry by its key, with its type as ``@``; ValueError at a fault."""
    found: dict[str, dict[str, str]] = {}
    place = 0
    while rest := text[place:].lstrip():
        place = len(text) - len(rest)
        match = ENTRY.match(text, place)
        if match is None or match[2] in found:
            raise ValueError(f"no entry, or a second one of that key, at {rest[:60]!r}")
        fields, place = _fields(text, match.end())
        found[match[2]] = {"@": match[1], **fields}
    return found


def _fields(text: str, place: int) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    while True:
        match = FIELD.match(text, place)
        if match is None or match[1] in fields:
            raise ValueError(f"no field, or a second one, at {text[place : place + 60]!r}")
        value, place = _braced(text, match.end())
        fields[match[1]] = value
        if text.startswith("\n}\n", place):
            return fields, place + 3
        if not text.startswith(",\n", place):
            raise ValueError(
                f"neither comma nor end after {match[1]}: {text[place : place + 60]!r}"
            )
        place += 2


def _braced(text: str, start: int) -> tuple[str, int]:
    """Return the text up to the brace that closes the field; BibTeX counts escaped braces too."""
    depth, place = 1, start
    while depth:
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
    return text[start : place - 1], place


def plain(value: str) -> str:
    """Return a value as a reader would see it; ValueError if LaTeX would trip over it."""
    shown = value[1:-1] if value.startswith("{") and value.endswith("}") else value
    out, place = "", 0
    while place < len(shown):
        command = next((c for c in COMMANDS if shown.startswith(c, place)), "")
        if not command and shown[place] in r"\{}&%$#_~^":
            raise ValueError(f"bare {shown[place]!r} in {value!r}")
        out += COMMANDS.get(command, shown[place])
        place += len(command) or 1
    return out
