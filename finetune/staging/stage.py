"""Stage: from an unscored recording outside any corpus to a hypnogram. The main path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.builder import atomic_file, atomic_folder, unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, ownership
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored_night import NightPages, UnscoredNight
from psgimg.finetune import optional_dependencies
from psgimg.finetune.inference import opening
from psgimg.finetune.inference.opening import Crew, OpenModel, Wish
from psgimg.finetune.models import identity
from psgimg.finetune.models.identity import ModelIdentity
from psgimg.finetune.models.manifest import ModelFolder, versions
from psgimg.finetune.staging import (
    against_training,
    hypnogram_files,
    inference,
    lights,
    plot_night,
)
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.staging.staged_night import StagedNight

OUTPUT = TABLE, ANNOTATIONS, FIGURES, PICTURE = (
    "hypnogram.csv",
    "hypnogram.edf",
    "statistics.json",
    "hypnogram.png",
)

HASHED = (TABLE, ANNOTATIONS, PICTURE)
"""Files whose hashes, as written, are recorded in the statistics."""

EXPECTED_MASS = 0.5
"""A trained model puts nearly all its probability on the five answers; below this, a note is shown."""


def stage(config: StageConfig, progress: Progress) -> StagedNight:
    """Stage a recording and write hypnogram, statistics and picture atomically.

    Raises
    ------
    BuildError, RecordingError
        If the model or the recording can't be used, or the folder can't be written.
    """
    optional_dependencies.require()
    model_identity = identity.identify(config.model)
    trained = _trained(model_identity, config.model)
    recipe = Recipe.from_dict(trained.recipe)
    if config.polarity is not None:
        recipe = replace(recipe, polarity=config.polarity)
    night = unscored_night.open_night(
        config.night,
        recipe,
        channels=config.channels or {},
        mains_hz=config.mains_hz,
        epoch_s=against_training.epoch_s(trained),
        scoring=config.scoring,
        scoring_format=config.scoring_format,
    )
    differences = against_training.check(night, trained, config.model, any_lanes=config.any_lanes)
    lights_s = lights.span(
        config.lights_off, config.lights_on, night.start, night.duration_s, night.grid.epoch_s
    )
    _refuse_to_replace(config.folder, config.night)
    crew = opening.crew(
        OpenModel(config.model, config.dtype, config.trust_remote_code),
        trained.prompt.answers,
        Wish(config.device, config.batch_size, config.loaders),
        len(night.epochs),
        progress.note,
    )
    with atomic_folder.whole(config.folder, config.night, lambda: OUTPUT, "staging") as room:
        for note in (*night.notes, *differences.notes):
            progress.note(note)
        progress.start("reading signals")
        pages = unscored_night.pages(night)
        for note in pages.notes:
            progress.note(note)
        staged = replace(
            _staged(night, pages, trained, lights_s, crew, config, progress),
            unseen_lanes=differences.unseen_lanes,
        )
        notes = [*night.notes, *differences.notes, *pages.notes, *lights.notes(*lights_s)]
        facts = _facts(staged, night, pages, notes, model_identity, trained, config)
        _write(room, staged, facts)
    return staged


def _trained(model_identity: ModelIdentity, model: str) -> ModelFolder:
    """Return how a model was trained, which determines how its pages are drawn."""
    if model_identity.folder is None:
        raise BuildError(
            f"{model} has no recipe for its pages (no psgimg.json), so it was not trained by psgimg; "
            "give a folder written by `psgimg sft`"
        )
    return model_identity.folder


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
    if hashes and signal != _signal(night):
        raise BuildError(
            f"{folder} holds the stages of another recording named {night.name}; choose another --out"
        )


def _signal(night: Path) -> str | None:
    """Return a hash that identifies a recording; None for a format that is a folder."""
    return atomic_file.sha256(night) if night.is_file() else None


def _staged(
    night: UnscoredNight,
    pages: NightPages,
    trained: ModelFolder,
    lights_s: tuple[float | None, float | None],
    crew: Crew,
    config: StageConfig,
    progress: Progress,
) -> StagedNight:
    """Stage every page that can be drawn."""
    probabilities = np.full((len(night.grid), len(STAGE_NAMES)), np.nan)
    rows = {number: row for row, number in enumerate(night.grid.epochs)}
    masses = []
    read = inference.Questions(trained.prompt, trained.context)
    with (
        inference.drawing(pages, trained.context) as drawn,
        crew.fleet as fleet,
    ):
        progress.start("loading the model")
        fleet.begin()
        progress.start("staging", len(night.epochs), "pages")
        for batch in inference.answers(drawn.result(), fleet, read, crew.batch_size):
            for page, answer in batch:
                assert answer.probabilities is not None
                assert answer.log_mass is not None
                probabilities[rows[page.epoch]] = answer.probabilities
                masses.append(np.exp(answer.log_mass))
            progress.advance(len(batch))
    if np.mean(masses) < EXPECTED_MASS:
        progress.note(
            f"the model puts {np.mean(masses):.0%} of its probability on the five answers; it is "
            "probably undertrained"
        )
    return StagedNight(
        name=night.path.name,
        start=night.start.replace(tzinfo=None) if night.start else None,
        probabilities=probabilities,
        lights_off_s=lights_s[0],
        lights_on_s=lights_s[1],
        review_below=config.review,
        unscored=night.left_out,
        quality=pages.quality,
        grid=night.grid,
        scoring=config.scoring.name if config.scoring else "",
    )


def _write(room: Path, staged: StagedNight, facts: Mapping[str, Any]) -> None:
    hypnogram_files.write_table(room / TABLE, staged)
    hypnogram_files.write_annotations(room / ANNOTATIONS, staged)
    plot_night.write(room / PICTURE, staged)
    hashes = {name: atomic_file.sha256(room / name) for name in HASHED}
    text = json.dumps({**facts, "files": hashes}, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_file.write_text(room / FIGURES, text + "\n")


def _facts(
    staged: StagedNight,
    night: UnscoredNight,
    pages: NightPages,
    notes: list[str],
    model_identity: ModelIdentity,
    trained: ModelFolder,
    config: StageConfig,
) -> dict[str, Any]:
    """Return the contents of the statistics file: the statistics and all they depend on."""
    lanes = zip(night.recipe.montage.lanes, night.derivations, strict=True)
    return {
        "psgimg": version("psgimg"),
        "versions": versions(),
        "night": staged.name,
        "signal": _signal(config.night),
        "model": Path(config.model).name if Path(config.model).is_dir() else config.model,
        "weights": model_identity.weights,
        "recipe_hash": trained.recipe_hash,
        "prompt": trained.prompt_name,
        "context": trained.context,
        "lanes": {lane.name: drawn.name if drawn else None for lane, drawn in lanes},
        "lanes_seen_in_training": staged.unseen_lanes is None,
        "grid": {
            "of": staged.scoring or "recording",
            "epoch_s": staged.epoch_s,
            "first_s": float(staged.onsets_s[0]) if len(staged) else None,
        },
        "mains_hz": config.mains_hz,
        "polarity": {"rule": night.recipe.polarity, **pages.polarity.to_dict()},
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
