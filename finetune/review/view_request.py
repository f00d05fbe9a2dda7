"""View request: which window of a night an address asks for, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from math import isfinite
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.render import layout
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.unscored.night_views import LanePlace, View
from psgimg.finetune.review.night import Night

THUMB_WIDTH_PX = 160
THUMB_HEIGHT_PX = 96
PIXELS = 8_000_000
"""Most pixels of a picture, those of a large screen of double density."""

TICKS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Steps of the times below a window; the finest that leaves at most ``MOST_TICKS``."""

MOST_TICKS = 12


def view(night: Night, epoch: int, asked: Mapping[str, str]) -> View:
    """Return the window of an epoch.

    A window as long as a page is the page; a longer one has the epoch in its middle; a shorter one
    begins with the epoch, or ``offset`` seconds later.

    Raises
    ------
    BuildError
        If a value is invalid.
    """
    seconds = _number(asked, "seconds", PAGE_S)
    epoch_s, onset_s = night.basis.grid.epoch_s, night.basis.grid.onsets_s[epoch]
    start_s = onset_s - max(0.0, seconds - epoch_s) / 2 + _number(asked, "offset", 0.0)
    width, height = _pixels(asked, "width"), _pixels(asked, "height")
    if (width or 0) * (height or 0) > PIXELS:
        raise BuildError(f"{width}x{height} px: use at most {PIXELS:,} pixels")
    return View(
        start_s,
        seconds,
        width,
        height,
        uv=_number(asked, "uv", 1.0),
        flipped=_lanes(night, asked.get("flip", "")),
        filtered=_filtered(asked.get("filters", "on")),
    )


def thumb(night: Night, epoch: int) -> View:
    """Return the page of an epoch in small."""
    style, montage = night.recording.recipe.style, night.recording.recipe.montage
    weights = [style.lane(lane.kind).weight for lane in montage.lanes]
    lowest_px = layout.LEAST_PX * sum(weights) / min(weights)
    height = max(THUMB_HEIGHT_PX, int(lowest_px) + len(weights))
    return replace(view(night, epoch, {}), width_px=THUMB_WIDTH_PX, height_px=height)


def tag(night: Night, asked: View) -> str:
    """Return a tag that two pictures share only if they are the same."""
    named = (
        version("psgimg"),
        night.recording.recipe.hash,
        night.recording.path.name,
        night.recording.path.stat().st_mtime_ns,
        replace(asked, flipped=frozenset()),
        sorted(asked.flipped),
    )
    return f'"{hashlib.sha256(repr(named).encode()).hexdigest()[:32]}"'


def described(
    night: Night, epoch: int, asked: View, lanes: Sequence[LanePlace], gaps: list[Any]
) -> dict[str, Any]:
    """Return what stands where in a window, as JSON values; rows and columns in pixels of the picture.

    ``epoch_px`` are the columns at which the epoch begins and ends.
    """
    style = night.recording.recipe.style
    width, height = asked.width_px or style.width_px, asked.height_px or style.height_px
    onset_s, epoch_s = night.basis.grid.onsets_s[epoch], night.basis.grid.epoch_s

    def column(time_s: float) -> float:
        return round((time_s - asked.start_s) / asked.seconds * width, 2)

    return {
        "width": width,
        "height": height,
        "from_s": asked.start_s,
        "to_s": asked.start_s + asked.seconds,
        "epoch_px": [column(onset_s), column(onset_s + epoch_s)],
        "lanes": [vars(lane) for lane in lanes],
        "ticks": [
            {"s": round(at_s, 3), "x_px": column(asked.start_s + at_s)}
            for at_s in _ticks(asked.seconds)
        ],
        "gaps": [{"from_s": a, "to_s": b, "px": [column(a), column(b)]} for a, b in gaps],
    }


def _ticks(seconds: float) -> list[float]:
    """Return seconds from the start of a window at which to write the time."""
    step_s = next((step for step in TICKS_S if seconds / step <= MOST_TICKS), TICKS_S[-1])
    return [step_s * i for i in range(int(seconds / step_s) + 1)]


def _number(asked: Mapping[str, str], name: str, default: float) -> float:
    if name not in asked:
        return default
    try:
        value = float(asked[name])
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise BuildError(f"{name} {asked[name]!r}: give a number")
    return value


def _pixels(asked: Mapping[str, str], name: str) -> int | None:
    value = _number(asked, name, 0.0)
    return round(value) if name in asked else None


def _filtered(text: str) -> bool:
    if text not in ("on", "off"):
        raise BuildError(f"filters {text!r}: use on or off")
    return text == "on"


def _lanes(night: Night, text: str) -> frozenset[str]:
    """Return the lanes in a list of names that is separated by commas."""
    names = {name for name in text.split(",") if name}
    known = {lane.name for lane in night.recording.recipe.montage.lanes}
    if unknown := sorted(names - known):
        raise BuildError(f"flip {unknown[0]!r}: use {', '.join(sorted(known))}")
    return frozenset(names)
