"""BIDS dataset: what the ``bids`` key of a corpus file states of a dataset in the layout of BIDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psgimg.builder.corpora.bids.bids_form import BidsForm
from psgimg.builder.corpora.custom.yaml_values import Section
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import Score

KEY = "bids"
INSIDE = ("stage_columns", "person_column", "task", "acq")
UNUSED = ("recordings", "fields", "scoring", "ignore", "epoch_s")
"""Keys that the layout of BIDS makes needless."""


def read(
    file: Section,
    corpus: str,
    stages: Mapping[str, Score],
    channels: Mapping[str, str],
    mains_hz: float | None,
) -> BidsForm:
    """Return how a BIDS dataset is read.

    Raises
    ------
    BuildError
        If a value is missing or of the wrong type, or a key contradicts the layout.
    """
    for key in UNUSED:
        if key in file:
            raise BuildError(f"{file.where}: {KEY} has its own {key}; remove the key")
    inside = {} if file.get(KEY) is None else file.get(KEY)
    section = Section(inside, f"{file.where}, {KEY}", INSIDE)
    return BidsForm(
        corpus,
        section.texts("stage_columns"),
        section.text("person_column") if "person_column" in section else "",
        section.text("task") if "task" in section else "",
        section.text("acq") if "acq" in section else "",
        stages,
        channels,
        mains_hz,
    )


def definition(form: BidsForm, named: Mapping[Score, str]) -> dict[str, Any]:
    """Return the values that determine rows."""
    stated: dict[str, Any] = {
        "stage_columns": list(form.columns),
        "person_column": form.person,
        "task": form.task,
        "acq": form.acq,
    }
    return {
        KEY: {key: value for key, value in stated.items() if value},
        "stages": {word: named[score] for word, score in form.stages.items()},
        "channels": dict(form.channels),
        "mains_hz": form.mains_hz,
    }
