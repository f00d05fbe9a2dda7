"""Output files: the reviewed stages of a night as hypnogram, annotations and sleep statistics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.builder import atomic_file
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.review.answers import Answer, Answers
from psgimg.finetune.review.basis import Basis
from psgimg.finetune.staging import hypnogram_files
from psgimg.finetune.staging.stage import ANNOTATIONS, EVENTS, EVENTS_JSON, FIGURES, LUNA, TABLE
from psgimg.finetune.staging.staged_night import StagedNight

CODES: Mapping[str | None, int] = {
    None: UNSCORED,
    **{name: code for code, name in enumerate(STAGE_NAMES)},
}
"""Stage → its code in sleep statistics."""


def staged(name: str, start: Any, basis: Basis, answers: Answers) -> StagedNight:
    """Return a reviewed night in the form of one that a model staged."""
    return StagedNight(
        name=name,
        start=start,
        probabilities=basis.probabilities,
        lights_off_s=answers.lights.off_s,
        lights_on_s=answers.lights.on_s,
        review_below=basis.review_below,
        unscored={},
        grid=basis.grid,
        staged_by=basis.staged_by,
        chosen=np.array([CODES[answer.stage] for answer in answers.epochs], np.int64),
        marked=basis.marked & ~np.array([answer.reviewed for answer in answers.epochs], bool),
    )


def write(
    folder: Path, night: StagedNight, answers: Sequence[Answer], facts: Mapping[str, Any]
) -> None:
    """Write hypnogram, annotations and statistics, each atomically.

    Parameters
    ----------
    facts
        What the statistics file says besides the statistics.

    Raises
    ------
    BuildError
        If a file can't be written.
    """
    told = {
        "source": [answer.source or "" for answer in answers],
        "scorer": [answer.scorer for answer in answers],
        "changed": [answer.at for answer in answers],
        "note": [answer.note for answer in answers],
    }
    hypnogram_files.write_table(folder / TABLE, night, told)
    hypnogram_files.write_annotations(folder / ANNOTATIONS, night)
    hypnogram_files.write_luna(folder / LUNA, night)
    hypnogram_files.write_events(folder / EVENTS, night)
    written = (TABLE, ANNOTATIONS, LUNA, EVENTS, EVENTS_JSON)
    hashes = {name: atomic_file.sha256(folder / name) for name in written}
    values = {
        "psgimg": version("psgimg"),
        **facts,
        "grid": {
            "of": "recording",
            "epoch_s": night.epoch_s,
            "first_s": float(night.onsets_s[0]) if len(night) else None,
        },
        "lights_off_s": night.lights_off_s,
        "lights_on_s": night.lights_on_s,
        "statistics": night.statistics.to_dict(),
        "reviewed": hashes,
    }
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_file.write_text(folder / FIGURES, text + "\n")
