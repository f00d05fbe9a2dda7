"""Polarity rule: what decides whether the EEG and EOG of a recording are stored upside down."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Predicate
from psgimg.builder.errors import BuildError
from psgimg.builder.files import safe_names
from typing_extensions import TypedDict

BLINKS, RECORDED, INVERTED = "blinks", "recorded", "inverted"
RULES = (RECORDED, BLINKS, INVERTED)
"""``blinks``: the recording's blinks, and without decisive ones what its corpus states. ``recorded``:
what its corpus states, which for all corpora of psgimg is: as recorded. ``inverted``: every recording
is turned over."""


By = Literal["blinks", "corpus", "option", ""]
"""What decided on the sign of a recording; "" if nothing is known of it."""


class PolarityJson(TypedDict):
    """A ``Polarity`` in ``build.json``."""

    turned: bool
    by: By
    derivation: Annotated[str, Predicate(safe_names.is_line)] | None
    blinks_up: Annotated[int, Ge(0)]
    blinks_down: Annotated[int, Ge(0)]
    votes_up: Annotated[int, Ge(0)]
    votes_down: Annotated[int, Ge(0)]


def require_rule(rule: str, where: str) -> None:
    """Raise BuildError if there is no such rule."""
    if rule not in RULES:
        raise BuildError(f"{where} {rule!r}: use {', '.join(RULES)}")
