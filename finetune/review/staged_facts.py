"""Staged facts: what `psgimg stage` says of a night in ``statistics.json``, checked as it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psgimg.builder.dataset import json_form
from psgimg.builder.errors import BuildError
from psgimg.builder.files import ownership
from typing_extensions import TypedDict

SIGNALS = "signals"
"""What a stager reads that is shown no pages."""


class GridFacts(TypedDict):
    """The epochs."""

    epoch_s: float


class PolarityFacts(TypedDict):
    """Which way is up."""

    rule: str


class NeededFacts(TypedDict):
    """What every such file says."""

    night: str
    files: dict[str, str]
    grid: GridFacts


class StagedFacts(NeededFacts, total=False):
    """The values that a review makes use of; versions differ in what they write."""

    signal: str | None
    recording: str
    model: str
    staged_by: str
    reads: str
    recipe: dict[str, Any]
    recipe_hash: str
    channels: dict[str, str]
    mains_hz: float
    polarity: PolarityFacts
    lights_off_s: float | None
    lights_on_s: float | None
    review_below: float


def read(path: Path) -> StagedFacts:
    """Return the facts in a file.

    Raises
    ------
    BuildError
        If it was not written by `psgimg stage`, or a value is invalid.
    """
    try:
        return json_form.conform(ownership.read_mark(path), StagedFacts)
    except json_form.FormError as error:
        raise BuildError(
            f"{path} is not as `psgimg stage` writes it ({error}); give a folder that it wrote"
        ) from error
