"""Earlier settings: what a command of an older version would have been asked, for comparison.

A version may add options. Settings that were saved before have no key for them, and the command did
what is their default now: an absent key means the default, at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OF_PREDICTIONS: Mapping[str, Any] = {
    "config": None,
    "fold": None,
    "revision": None,
    "endpoint": None,
    "context": 0,
    "context_scale": 1.0,
    "without": [],
    "limit": None,
    "max_new_tokens": 32,
    "dtype": "auto",
    "decode": "page",
    "calibration": None,
    "train_subjects": None,
}
"""What `predict` and `baseline` did before there was a choice."""

_ABSENT = object()


def completed(before: Any, now: Any, defaults: Mapping[str, Any]) -> Any:
    """Return saved settings with the defaults of the keys that only the present ones have."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        added = {key: defaults[key] for key in now if key not in before and key in defaults}
        kept = {key: completed(value, now.get(key), defaults) for key, value in before.items()}
        return kept | added
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [completed(one, other, defaults) for one, other in zip(before, now, strict=True)]
    return before


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the keys that differ, or that only one of the two has, in alphabetical order."""
    return sorted(
        key for key in {*before, *now} if before.get(key, _ABSENT) != now.get(key, _ABSENT)
    )
