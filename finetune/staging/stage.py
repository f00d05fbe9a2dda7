"""Stage: from an unscored recording outside any corpus to a hypnogram. The main path."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file, atomic_folder
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, ownership
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.unscored_night import UnscoredNight
from psgimg.finetune.staging import by_pictures, by_yasa, hypnogram_files, lights, plot_night
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.staging.staged_night import StagedNight
from psgimg.finetune.staging.stager import Lights, Opinion, Stager

OUTPUT = TABLE, ANNOTATIONS, LUNA, EVENTS, EVENTS_JSON, FIGURES, PICTURE = (
    "hypnogram.csv",
    "hypnogram.edf",
    "hypnogram.annot",
    "events.tsv",
    "events.json",
    "statistics.json",
    "hypnogram.png",
)

HASHED = tuple(name for name in OUTPUT if name != FIGURES)
"""Files whose hashes, as written, are recorded in the statistics."""


def stage(config: StageConfig, progress: Progress) -> StagedNight:
    """Stage a recording and write hypnogram, statistics and picture atomically.

    Raises
    ------
    BuildError, RecordingError
        If the model or the recording can't be used, or the folder can't be written.
    """
    stager: Stager = (by_yasa if config.by_yasa else by_pictures).open_night(config)
    night = stager.night
    lights_s = _lights(night, config)
    _refuse_to_replace(config.folder, config.night)
    with atomic_folder.whole(config.folder, config.night, lambda: OUTPUT, "staging") as room:
        for note in (*night.notes, *stager.notes):
            progress.note(note)
        opinion = stager.stage(lights_s, progress)
        staged = _staged(stager, opinion, lights_s, config)
        notes = [*night.notes, *stager.notes, *opinion.notes, *lights.notes(*lights_s)]
        _write(room, staged, _facts(staged, stager, opinion, notes, config))
    return staged


def in_memory(config: StageConfig, signals: SignalFile, progress: Progress) -> StagedNight:
    """Stage signals that are not read from a file, and write nothing.

    Parameters
    ----------
    config
        ``night`` is the name of the recording.

    Raises
    ------
    BuildError, RecordingError
        If the model or the signals can't be used.
    """
    stager = by_pictures.open_night(config, signals)
    lights_s = _lights(stager.night, config)
    for note in (*stager.night.notes, *stager.notes):
        progress.note(note)
    return _staged(stager, stager.stage(lights_s, progress), lights_s, config)


def _lights(night: UnscoredNight, config: StageConfig) -> Lights:
    return lights.span(
        config.lights_off, config.lights_on, night.start, night.duration_s, night.grid.epoch_s
    )


def _refuse_to_replace(folder: Path, night: Path) -> None:
    """Refuse to overwrite files that a scorer has edited, or the stages of another recording."""
    try:
        written = bounded.read_json(folder / FIGURES)
        hashes, signal = dict(written["files"]), written["signal"]
    except (OSError, ValueError, LookupError, TypeError):
        hashes, signal = {}, None
        if (folder / FIGURES).exists():
            raise ownership.foreign(folder / FIGURES, "--out") from None
    for path in (folder / name for name in HASHED):
        if path.is_file() and atomic_file.sha256(path) != hashes.get(path.name):
            raise BuildError(
                f"{path} was changed since `psgimg stage` wrote it; move it away or choose another "
                "--out"
            )
    if hashes and signal != atomic_file.sha256(night):
        raise BuildError(
            f"{folder} holds the stages of another recording named {night.name}; choose another --out"
        )


def _staged(
    stager: Stager,
    opinion: Opinion,
    lights_s: Lights,
    config: StageConfig,
) -> StagedNight:
    """Return what a stager says of a night, with what the user says of it."""
    night = stager.night
    return StagedNight(
        name=night.path.name,
        start=night.start.replace(tzinfo=None) if night.start else None,
        probabilities=opinion.probabilities,
        page_probabilities=opinion.page_probabilities,
        lights_off_s=lights_s[0],
        lights_on_s=lights_s[1],
        review_below=config.review,
        unscored={**night.left_out, **opinion.left_out},
        quality=opinion.quality,
        grid=night.grid,
        scoring=config.scoring.name if config.scoring else "",
        unseen_lanes=stager.unseen_lanes,
        staged_by=stager.name,
        doubt=stager.doubt,
    )


def _write(room: Path, staged: StagedNight, facts: Mapping[str, Any]) -> None:
    hypnogram_files.write_table(room / TABLE, staged)
    hypnogram_files.write_annotations(room / ANNOTATIONS, staged)
    hypnogram_files.write_luna(room / LUNA, staged)
    hypnogram_files.write_events(room / EVENTS, staged)
    plot_night.write(room / PICTURE, staged)
    hashes = {name: atomic_file.sha256(room / name) for name in HASHED}
    text = json.dumps({**facts, "files": hashes}, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_file.write_text(room / FIGURES, text + "\n")


def _facts(
    staged: StagedNight,
    stager: Stager,
    opinion: Opinion,
    notes: list[str],
    config: StageConfig,
) -> dict[str, Any]:
    """Return the contents of the statistics file: the statistics and all they depend on."""
    night = stager.night
    lanes = zip(night.recipe.montage.lanes, night.derivations, strict=True)
    return {
        "psgimg": version("psgimg"),
        "night": staged.name,
        "signal": atomic_file.sha256(config.night),
        "recording": os.path.relpath(config.night.resolve(), config.folder.resolve()),
        "staged_by": staged.staged_by,
        **stager.facts,
        "recipe": night.recipe.to_dict(),
        "lanes": {lane.name: drawn.name if drawn else None for lane, drawn in lanes},
        "channels": dict(config.channels or {}),
        "lanes_seen_in_training": staged.unseen_lanes is None and not staged.doubt,
        "grid": {
            "of": staged.scoring or "recording",
            "epoch_s": staged.epoch_s,
            "first_s": float(staged.onsets_s[0]) if len(staged) else None,
        },
        "mains_hz": config.mains_hz,
        "polarity": {"rule": night.recipe.polarity, **opinion.polarity.to_dict()},
        "notes": notes,
        "quality": dict(staged.quality),
        "lights_off_s": staged.lights_off_s,
        "lights_on_s": staged.lights_on_s,
        "review_below": staged.review_below,
        "epochs": {
            "recording": len(staged),
            "left_out": dict(staged.unscored),
            "lights_off_to_on": len(staged.stages[staged.in_bed]),
            "to_review": int(staged.review[staged.in_bed].sum()),
        },
        "statistics": staged.statistics.to_dict(),
    }
