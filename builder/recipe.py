"""Recipe: everything that decides a pixel, with a hash. The dataset records it, a model carries it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from psgimg.builder.montage import Montage
from psgimg.builder.signals import Filters
from psgimg.builder.style import Style

VERSION = 1
"""Raised whenever the same samples and values give other pixels than before."""


@dataclass(frozen=True)
class Recipe:
    """Montage, filters, rate and style. Equal recipes draw equal pixels."""

    montage: Montage
    style: Style
    filters: Filters = field(default=Filters())
    sfreq_hz: float = 200.0
    version: int = VERSION

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        values: dict[str, Any] = plain(dataclasses.asdict(self))
        return values

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that change with any value."""
        return digest(self.to_dict())


def digest(values: Any) -> str:
    """Hash of JSON values, whatever the order of their keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plain(value: Any) -> Any:
    """A value as JSON would give it back: tuples as lists, members of enums by their values."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
