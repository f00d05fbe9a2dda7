"""Recipe: everything that determines a pixel, with a hash.

A dataset records its recipe, and a model stores that of the pages it was trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import Kind, Montage
from psgimg.builder.render.style import Style
from psgimg.builder.signals.filter_settings import Filters
from psgimg.builder.signals.polarity_rule import BLINKS, require_rule

VERSION = 3
"""Incremented whenever the same samples and values give different pixels, or the format of the values
changes (2: styles and bands by kind of lane; 3: which way is up, the sign of recordings, filters
whose edges are at -3 dB)."""


_REMEDY = "restore the values as written by psgimg"


class UnknownKindError(BuildError):
    """A recipe with a kind of lane that this psgimg does not know."""


@dataclass(frozen=True)
class Recipe:
    """Montage, filters, sampling rate, style and polarity; equal recipes draw equal pixels.

    A recipe keeps style and filters only for the kinds of lane in its montage, so that no other
    kind, present or future, changes it.

    Parameters
    ----------
    polarity
        How the sign of a recording is decided, one of ``polarity_rule.RULES``.

    Raises
    ------
    BuildError
        If style or filters lack such a kind, or a pass band exceeds half of ``sfreq_hz``.
    """

    montage: Montage
    style: Style
    filters: Filters = field(default=Filters())
    sfreq_hz: float = 200.0
    polarity: str = BLINKS
    version: int = VERSION

    def __post_init__(self) -> None:
        require_rule(self.polarity, "polarity")
        drawn = {lane.kind for lane in self.montage.lanes}
        for values, what in ((self.style.lanes, "style"), (self.filters.bands, "filters")):
            if lacking := sorted(kind.value for kind in drawn - set(values)):
                raise BuildError(
                    f"{what} without {lacking[0]}, a kind of lane in montage {self.montage.name}; "
                    "choose a montage without it"
                )
        object.__setattr__(self, "style", self.style.only(drawn))
        object.__setattr__(self, "filters", self.filters.only(drawn))
        for kind, band in self.filters.bands.items():
            if band.high_hz > self.sfreq_hz / 2:
                raise BuildError(
                    f"filters: the pass band of {kind.value} ends at {band.high_hz:g} Hz; at "
                    f"{self.sfreq_hz:g} samples per second, use at most {self.sfreq_hz / 2:g} Hz"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values."""
        values: dict[str, Any] = plain(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe that ``to_dict`` serialised, as stored in a dataset or a model.

        Raises
        ------
        BuildError
            If the values are incomplete, or of a version that this psgimg does not draw.
        """
        version = values.get("version")
        if version != VERSION:
            raise BuildError(
                f"recipe: version is {version}, this psgimg draws version {VERSION}; install the "
                "psgimg that wrote the recipe"
            )
        recipe: Recipe = _typed(cls, values, "recipe")
        if recipe.hash != digest(values):
            raise BuildError(f"recipe: hash {digest(values)} became {recipe.hash}; {_REMEDY}")
        return recipe

    @property
    def hash(self) -> str:
        """Hash of all values, 16 hexadecimal digits."""
        return digest(self.to_dict())


def digest(values: Any) -> str:
    """Return the hash of JSON values, regardless of the order of keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plain(value: Any) -> Any:
    """Return a value as JSON would restore it: tuples as lists, enum members as their values."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _typed(kind: Any, value: Any, where: str) -> Any:
    """Return the value that ``plain`` converted; numbers stay unchanged, as 1 and 1.0 hash differently."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if not isinstance(value, Mapping) or set(value) != set(hints):
            keys = ", ".join(sorted(set(value) ^ set(hints))) if isinstance(value, Mapping) else ""
            raise BuildError(f"{where}: keys differ ({keys or repr(value)}); {_REMEDY}")
        parts = {key: _typed(hint, value[key], f"{where}.{key}") for key, hint in hints.items()}
        return kind(**parts)  # type: ignore[operator]  # a class, not an instance
    if get_origin(kind) is ByKind and isinstance(value, Mapping):
        (part,) = get_args(kind)
        return ByKind(
            {_kind(key, where): _typed(part, value[key], f"{where}.{key}") for key in value}
        )
    if kind is Kind:
        return _kind(value, where)
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_typed(get_args(kind)[0], item, where) for item in value)
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise BuildError(f"{where}: unexpected value {value!r}; {_REMEDY}")


def _kind(value: Any, where: str) -> Kind:
    """Return the kind of lane with a name."""
    try:
        return Kind(value)
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise UnknownKindError(
            f"{where}: this psgimg can't draw lanes of kind {value!r}, only {known}; install a newer "
            "psgimg"
        ) from None
