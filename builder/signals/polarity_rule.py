"""Polarity rule: what decides whether the EEG and EOG of a recording are stored upside down."""

from __future__ import annotations

from psgimg.builder.errors import BuildError

BLINKS, RECORDED, INVERTED = "blinks", "recorded", "inverted"
RULES = (RECORDED, BLINKS, INVERTED)
"""``blinks``: the recording's blinks, and without decisive ones what its corpus states. ``recorded``:
what its corpus states, which for all corpora of psgimg is: as recorded. ``inverted``: every recording
is turned over."""


def require_rule(rule: str, where: str) -> None:
    """Raise BuildError if there is no such rule."""
    if rule not in RULES:
        raise BuildError(f"{where} {rule!r}: use {', '.join(RULES)}")
