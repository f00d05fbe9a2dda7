"""Way up: which way is up on the pages of a recipe, in words for the card and for a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psgimg.builder.words import listed

NAMES = {"eeg": "the EEG", "eog": "the eye lanes"}
"""Kinds of lane in which the direction of a wave matters for scoring, as a prompt calls them."""


def in_short(style: Mapping[str, Any]) -> str:
    """Return which way is up, such as ``negative is up in EEG and EOG, positive in EMG``.

    Parameters
    ----------
    style
        The style of a recipe as JSON, with the kinds of lane that are drawn.
    """
    ways = _kinds_by_way(style)
    if len(ways) == 1:
        return f"{next(iter(ways))} is up"
    (first, kinds), *others = ways.items()
    text = f"{first} is up in {listed([kind.upper() for kind in kinds])}"
    return text + "".join(f", {way} in {listed([k.upper() for k in ks])}" for way, ks in others)


def for_prompt(style: Mapping[str, Any]) -> str:
    """Return one sentence on EEG and eyes that says how a sharp negative wave looks."""
    ways = {kind: _way(lane) for kind, lane in style["lanes"].items() if kind in NAMES}
    eeg = ways["eeg"]  # every montage has an EEG lane
    points = "upwards" if eeg == "negative" else "downwards"
    same = [NAMES[kind] for kind, way in ways.items() if way == eeg]
    others = [f"in {NAMES[kind]}, {way} is up" for kind, way in ways.items() if way != eeg]
    text = f"In {listed(same)}, {eeg} is up: a sharp negative wave points {points}"
    return "; ".join([text, *others]) + "."


def _way(lane: Mapping[str, Any]) -> str:
    """Return which way is up in a kind of lane; before version 3 of the recipe, always positive."""
    return str(lane.get("up", "positive"))


def _kinds_by_way(style: Mapping[str, Any]) -> dict[str, list[str]]:
    ways: dict[str, list[str]] = {}
    for kind, lane in style["lanes"].items():
        ways.setdefault(_way(lane), []).append(kind)
    return ways
