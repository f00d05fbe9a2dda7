"""Recording: the file of a night under review, opened with the lanes that a reviewer is shown."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from psgimg.builder import unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.unscored import unscored_lanes
from psgimg.builder.unscored_night import UnscoredNight
from psgimg.finetune.review.night_place import NightPlace
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.review.staged_facts import SIGNALS

DEFAULT_MONTAGE, DEFAULT_STYLE = "aasm", "clinical"


def opened(place: NightPlace, config: ReviewConfig) -> UnscoredNight:
    """Read the header of a night's recording, and choose its lanes.

    Of a night that a model staged from pictures, the lanes are those of its pages. Of any other they
    are those of ``--montage``; without, of the default one, or one EEG, EOG and EMG if these show
    more of the recording's kinds of signal.

    Raises
    ------
    BuildError, RecordingError
        If it can't be read, has no EEG, or is to be drawn otherwise than the model saw it.
    """
    facts = place.facts
    told = facts.get("channels", {}) if facts else {}
    hz = facts.get("mains_hz", config.mains_hz) if facts else config.mains_hz
    chosen = bool(config.montage or config.style)
    if facts and "recipe" in facts and facts.get("reads") != SIGNALS:
        if chosen:
            option = "--montage" if config.montage else "--style"
            raise BuildError(
                f"{option}: the pages of {place.staged} are drawn as the model saw them; leave it out"
            )
        recipe = Recipe.from_dict(facts["recipe"])
        channels = config.channels or told
        return unscored_night.open_night(place.recording, recipe, channels=channels, mains_hz=hz)
    style = load_style(config.style or DEFAULT_STYLE)
    recipe = Recipe(load_montage(config.montage or DEFAULT_MONTAGE), style)
    rule = facts["polarity"]["rule"] if facts and "polarity" in facts else recipe.polarity
    recipe = replace(recipe, polarity=rule)
    if chosen:  # what was told belongs to other lanes
        channels = config.channels or ({} if config.montage else told)
        return unscored_night.open_night(place.recording, recipe, channels=channels, mains_hz=hz)
    return _by_default(place.recording, recipe, config.channels or told, hz)


def _by_default(
    path: Path, recipe: Recipe, channels: Mapping[str, str], mains_hz: float
) -> UnscoredNight:
    """Open a recording with the lanes of a recipe, unless one of each kind shows more kinds."""
    polarity = recipe.polarity
    try:
        night = unscored_night.open_night(path, recipe, channels=channels, mains_hz=mains_hz)
    except BuildError:
        return unscored_lanes.open_night(
            path, channels=channels, mains_hz=mains_hz, polarity=polarity
        )
    with suppress(BuildError):  # channels that were given for lanes which only the recipe has
        few = unscored_lanes.open_night(
            path, channels=channels, mains_hz=mains_hz, polarity=polarity
        )
        return few if _kinds(few) > _kinds(night) else night
    return night


def _kinds(night: UnscoredNight) -> set[str]:
    """Return the kinds of lane that a recording fills."""
    lanes = zip(night.recipe.montage.lanes, night.derivations, strict=True)
    return {lane.kind.value for lane, derivation in lanes if derivation}


def start_of(night: UnscoredNight) -> datetime | None:
    """Return the local start of a recording, without a time zone."""
    return night.start.replace(tzinfo=None) if night.start else None
