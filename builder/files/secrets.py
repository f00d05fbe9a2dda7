"""Secrets: mask tokens and keys in every text that is shown or written.

A secret is recognised by its value, if it is one that this process has (environment variables and
files of tokens) or was told of, and otherwise by its shape.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

Json = TypeVar("Json")

MASK = "…"

SHORTEST = 6
"""Shorter values of variables are no secrets, and would be masked in ordinary words."""

VARIABLE = re.compile(
    r"(^|_)((API|ACCESS)?_?KEY|TOKEN|SECRET|(PG)?PASSWORD|PASSWD|CREDENTIAL)S?($|_)", re.IGNORECASE
)
"""Names of environment variables whose values are secrets: ``HF_TOKEN``, ``OPENAI_API_KEY``."""

NOT_SECRET = re.compile("(^|_)(PATH|FILE|DIR|LIMIT)S?($|_)", re.IGNORECASE)
"""Parts of the names of variables that are about secrets, but hold none."""

_KNOWN: set[str] = set()
"""Secrets that this process has read from elsewhere; see :func:`know`."""

_NAMED = r"(?:api[-_]?key|access[-_]?key|token|secret|password|passwd|signature|sig)"
_VALUE = r"(?=[^\s\"'&,;)}]*\d)[^\s\"'&,;)}]{6,}"
"""A value beside its name; with a digit, unlike a word of a sentence."""
_WORD = r"(?!(?:none|null|true|false)\b)[^\s\"'<&,;)}]{6,}"
"""A value that nothing but an assignment can precede, and which may be letters only."""

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(shape, re.IGNORECASE), rf"\1{MASK}")
    for shape in (
        r"(\bbearer\s+)[A-Z0-9._~+/=-]{4,}",
        r"(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic\s+|token\s+)?)(?!bearer\b)[^\s\"',;)}…]{6,}",
        r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#'\"]+(?=@)",
        r"(\bhttps?://[^\s?#'\"<>]+\?)[^\s'\"<>]+",
        rf"(\b[\w-]*{_NAMED}[\"']?\s*[=:]\s*[\"']?){_VALUE}",
        rf"((?-i:\b[A-Z_]*(?:KEY|TOKEN|SECRET|PASSWORD))=[\"']?|\bx-api-key:\s*){_WORD}",
        rf"([\"'](?:[\w-]+[-_])?{_NAMED}(?<!token)[\"']\s*:\s*[\"']){_WORD}",
        rf"(--(?:[a-z]+[-_])?{_NAMED}=){_WORD}",
        rf"(--?(?:[a-z]+[-_])?{_NAMED}\s+){_VALUE}",
        r"(\b(?-i:hf|api_org)_)[A-Z0-9]\w*",
        r"(\b(?:sk|pk|rk|gsk|xai|nvapi|r8|glpat|pypi)[-_])[A-Z0-9_-]{8,}",
        r"(\b(?:gh[pousr]|github_pat)_)[A-Z0-9_]{8,}",
        r"(\bAKIA)[0-9A-Z]{12,}",
        r"(\bAIza)[0-9A-Z_-]{20,}",
        r"(\beyJ)[A-Z0-9_-]{8,}\.[A-Z0-9_-]{8,}(?:\.[A-Z0-9_-]*)?",
        r"((?<![\w-])\d{1,6}-)(?=[a-z0-9_]*[a-z])[A-Z0-9_]{18,24}(?![\w-])",  # of the NSRR
    )
)


def know(secret: str) -> None:
    """Mask a secret from now on, whatever its shape; for one that was read from a file."""
    _KNOWN.add(secret)


def mask(text: str) -> str:
    """Return a text without secrets, each replaced by an ellipsis.

    >>> mask("401 for https://me:pass@host/v1 with Authorization: Bearer abc.def")
    '401 for https://…@host/v1 with Authorization: Bearer …'
    """
    return _masked(text, _values())


def _masked(text: str, values: Sequence[str]) -> str:
    for value in values:
        text = text.replace(value, f"hf_{MASK}" if value.startswith("hf_") else MASK)
    for pattern, instead in _SHAPES:
        text = pattern.sub(instead, text)
    return text


def mask_json(values: Json) -> Json:
    """Return JSON values whose strings have no secrets; keys stay as they are."""
    own = _values()  # once, as they are partly read from a file

    def masked(part: Any) -> Any:
        if isinstance(part, str):
            return _masked(part, own)
        if isinstance(part, Mapping):
            return {key: masked(value) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return [masked(value) for value in part]
        return part

    result: Json = masked(values)
    return result


def _values() -> list[str]:
    """Return the secrets that this process has, the longest first."""
    found = [
        value
        for name, value in os.environ.items()
        if VARIABLE.search(name) and not NOT_SECRET.search(name)
    ]
    with suppress(OSError, ValueError, RuntimeError):  # no such file, or nobody's home
        home = Path(os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser())
        token = Path(os.environ.get("HF_TOKEN_PATH") or home / "token")
        found.append(token.read_text(encoding="utf-8"))
    secrets = {value.strip() for value in (*found, *_KNOWN) if len(value.strip()) >= SHORTEST}
    return sorted(secrets, key=lambda value: (-len(value), value))
