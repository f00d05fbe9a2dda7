"""YAML values: read and check the values of a YAML file, with messages that name file and key."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from psgimg.builder.errors import BuildError


class Section:
    """A mapping of a YAML file.

    Parameters
    ----------
    where
        File, and key if the mapping is a part of the file.
    allowed
        The permitted keys; others are refused.

    Raises
    ------
    BuildError
        From every method, if a value is missing or of the wrong type.
    """

    def __init__(self, values: Any, where: str, allowed: Collection[str]) -> None:
        if not isinstance(values, dict):
            raise BuildError(f"{where}: not a mapping; write `key: value` lines")
        if unknown := sorted(set(values) - set(allowed)):
            raise BuildError(
                f"{where}: unknown key {', '.join(unknown)}; choose from {', '.join(sorted(allowed))}"
            )
        self._values: Mapping[str, Any] = values
        self.where = where

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any:
        """Return a required value of any type."""
        if key not in self._values:
            raise BuildError(f"{self.where}: {key} is missing; add it")
        return self._values[key]

    def section(self, key: str, allowed: Collection[str]) -> Section:
        """Return a required mapping with its own permitted keys."""
        return Section(self.get(key), f"{self.where}, {key}", allowed)

    def text(self, key: str, default: str | None = None) -> str:
        """Return one line of printable text."""
        if default is not None and key not in self:
            return default
        return self._text(self.get(key), key)

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number."""
        value = default if default is not None and key not in self else self.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BuildError(f"{self.where}: {key} is {value!r}; give a number")
        return float(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, or a single one as such; empty if the key is absent."""
        if key not in self:
            return ()
        value = self.get(key)
        return tuple(
            self._text(item, key) for item in (value if isinstance(value, list) else [value])
        )

    def table(self, key: str) -> dict[str, str]:
        """Return a required, non-empty mapping of text to text."""
        value = self.get(key)
        if not isinstance(value, dict) or not value:
            raise BuildError(f"{self.where}: {key} is {value!r}; give `name: value` lines under it")
        return {
            self._text(name, key): self._text(item, f"{key}, {name}")
            for name, item in value.items()
        }

    def _text(self, value: Any, key: str) -> str:
        line = " ".join(value.split()) if isinstance(value, str) else ""
        if not line or not line.isprintable():
            raise BuildError(f"{self.where}: {key} is {value!r}; give text (numbers in quotes)")
        return line
