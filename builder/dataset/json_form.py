"""JSON form: check that JSON values from outside have the keys, types and bounds of a ``TypedDict``."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Json = TypeVar("Json")

KINDS = {
    "is_path": "a path in the folder",
    "is_name": "a name",
    "is_corpus": "the name of a corpus",
    "is_line": "a short line of text",
    "is_hash": "a hash or tag",
    "is_version": "a version",
    "is_commands": "commands",
    "is_repository": "the name of a repository",
}
"""What each function of ``safe_names`` accepts."""

N_SHOWN = 40
"""Number of characters of an invalid value that a message shows."""


class FormError(ValueError):
    """A JSON file is invalid; the message gives the key and the value."""


def conform(values: Any, kind: type[Json], needed: Collection[str] | None = None) -> Json:
    """Check JSON values against a ``TypedDict``: its keys, their types and bounds.

    Other keys are allowed.

    Parameters
    ----------
    needed
        The keys that may not be missing; by default all.

    Raises
    ------
    FormError
        At the first error.
    """
    from pydantic import ValidationError

    try:
        _adapter(cast(Hashable, kind)).validate_python(values)
    except ValidationError as error:
        if first := _first(error, needed):
            raise FormError(first) from error
    checked: Json = values
    return checked


@functools.cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    """Return a strict validator: 1.0 and true are not integers, and numbers must be finite."""
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(strict=True, allow_inf_nan=False))(cast(type, kind)))


def _first(error: ValidationError, needed: Collection[str] | None) -> str:
    """Return the first error: its key in the file, the value, and pydantic's message."""
    faults = [
        fault
        for fault in error.errors(include_url=False, include_context=False)
        if fault["type"] != "missing" or needed is None or fault["loc"][0] in needed
    ]
    if not faults:
        return ""
    first = faults[0]
    where = place(*first["loc"])
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "predicate_failed":  # of `safe_names`, which its message names
        kind = next((words for name, words in KINDS.items() if name in first["msg"]), "valid")
        return f"{where} is {shown(first['input'])}, not {kind}"
    return f"{where} is {shown(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"


def place(*keys: int | str) -> str:
    """Return the path of a value: ``shards[0].split``, ``corpora["sleep-edf"].policy``."""
    parts = (
        f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{shown(key)}]"
        for key in keys
        if key != "[key]"  # by which pydantic marks that the key itself is invalid
    )
    return "".join(parts).removeprefix(".") or "the file"


def shown(value: Any) -> str:
    """Return a value as JSON, shortened."""
    text = json.dumps(value)
    return text if len(text) <= N_SHOWN else f"{text[:N_SHOWN]}…"
