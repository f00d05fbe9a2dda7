"""Style spec: a preset with a few values changed, written in one word.

``clinical:scaling=epoch`` is the style ``clinical`` with one value changed, and so a page that differs
from its own in one respect only. Several values are joined by commas, the members of a list by ``+``,
and a value of one kind of lane is written after its kind: ``clinical:width_px=448,eeg.scale_uv=75``.
The keys are those of a style file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file

BOOLEANS = {"true": True, "false": False}


def split(name: str) -> tuple[str, str]:
    """Return the preset and the changes of a spec; no changes if it is a name or a file."""
    base, _, changes = name.partition(":")
    return (base, changes) if "=" in changes and "/" not in base else (name, "")


def parse(changes: str, present: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the changed values in the form of a style file.

    Parameters
    ----------
    changes
        ``key=value,key=value``.
    present
        The values that the preset has: key → value, and kind of lane → key → value.
    where
        Start of every message.

    Raises
    ------
    BuildError
        If a key is unknown or repeated, or a value is not of the type that the preset has.
    """
    values: dict[str, Any] = {}
    for pair in changes.split(","):
        key, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            raise BuildError(f"{where}: {pair!r} is not key=value; write it as line_px=2")
        kind, dot, own = key.partition(".")
        yaml_file.check_keys({kind: text}, present, where)
        group, name, now = values, kind, present[kind]
        if isinstance(now, Mapping):
            if not dot:
                raise BuildError(f"{where}: {key} needs a key of its own; write {key}.scale_uv=75")
            yaml_file.check_keys({own: text}, now, f"{where}, {kind}")
            group, name, now = values.setdefault(kind, {}), own, now[own]
        elif dot:
            raise BuildError(f"{where}: {kind} has no {own!r}; write {kind}=…")
        if name in group:
            raise BuildError(f"{where}: {key} is given twice; give it once")
        group[name] = _value(text, now, f"{where}: {key}")
    return values


def _value(text: str, now: Any, where: str) -> Any:
    """Return a text as a value of the type of the present one."""
    if isinstance(now, tuple):
        members = text.split("+") if text else []
        return [_member(member, where) for member in members]
    if isinstance(now, bool):
        if text not in BOOLEANS:
            raise BuildError(f"{where} is {text!r}; give true or false")
        return BOOLEANS[text]
    if isinstance(now, int | float):
        try:
            return type(now)(text)
        except ValueError:
            raise BuildError(f"{where} is {text!r}; give a number like {now!r}") from None
    return text


def _member(text: str, where: str) -> str | float:
    """Return an ink as it is, and seconds as a number."""
    if text.startswith("#"):
        return text
    try:
        return float(text)
    except ValueError:
        raise BuildError(f"{where} has {text!r}; give numbers or #rrggbb, joined by +") from None
