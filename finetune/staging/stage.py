"""Stage: a hypnogram for a night that belongs to no corpus. The main path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.builder import atomic_file, atomic_folder, unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored_night import UnscoredNight
from psgimg.finetune import optional_dependencies
from psgimg.finetune.inference import predictors
from psgimg.finetune.models import identity
from psgimg.finetune.models.identity import Known
from psgimg.finetune.models.manifest import ModelFolder, versions
from psgimg.finetune.staging import hypnogram_files, inference, lights, plot_night
from psgimg.finetune.staging.staged_night import StagedNight

OUTPUT = TABLE, ANNOTATIONS, FIGURES, PICTURE = (
    "hypnogram.csv",
    "hypnogram.edf",
    "statistics.json",
    "hypnogram.png",
)

HASHED = (TABLE, ANNOTATIONS, PICTURE)
"""Their hashes, as they were written, stand in the statistics."""

MAINS_HZ = (50.0, 60.0)
EXPECTED_MASS = 0.5
"""A model that was taught gives the five answers nearly all its probability."""


@dataclass(frozen=True)
class StageConfig:
    """What `psgimg stage` is told.

    Parameters
    ----------
    night
        A recording in any format that MNE reads.
    model
        A folder of `psgimg sft`, or its id on the Hub.
    out
        Folder to write; None for one named after the night, where the command runs.
    channels
        Lane, or derivation that a lane takes, to the label of a channel; the others are found by
        their labels.
    lights_off, lights_on
        Clock time or seconds from the recording's start; None is its start, or its end.
    review
        Confidence below which an epoch is marked for review. With a small model on a real night,
        0.7 marked a tenth of the epochs, of which a third were wrong, and 0.5 hardly any.
    """

    night: Path
    model: str
    out: Path | None = None
    channels: Mapping[str, str] | None = None
    mains_hz: float = 50.0
    lights_off: str | None = None
    lights_on: str | None = None
    review: float = 0.7
    batch_size: int = 16
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.mains_hz not in MAINS_HZ:
            raise BuildError(f"--mains {self.mains_hz:g}: give 50 or 60, as where it was recorded")
        if not 0 <= self.review <= 1:
            raise BuildError(f"--review {self.review:g}: give a probability, 0 to 1")
        if self.batch_size < 1:
            raise BuildError(f"--batch-size {self.batch_size}: give 1 or more")

    @property
    def folder(self) -> Path:
        """Where to write."""
        return self.out or Path(f"{self.night.stem}-stages")


def stage(config: StageConfig, progress: Progress) -> StagedNight:
    """Stage a night and write hypnogram, statistics and picture, whole or not at all.

    Raises
    ------
    BuildError, RecordingError
        If the model or the night can't be used, or the folder can't be written.
    """
    optional_dependencies.require()
    known = identity.known(config.model)
    taught = _taught(known, config.model)
    recipe = Recipe.from_dict(taught.recipe)
    night = unscored_night.open_night(
        config.night, recipe, channels=config.channels or {}, mains_hz=config.mains_hz
    )
    lit = lights.span(config.lights_off, config.lights_on, night.start, night.duration_s)
    _refuse_to_replace(config.folder, config.night)
    with atomic_folder.whole(config.folder, config.night, OUTPUT, "staging") as room:
        for note in night.notes:
            progress.note(note)
        found = _staged(night, taught, lit, config, progress)
        _write(room, found, _facts(found, night, known, taught, config))
    return found


def _taught(known: Known, model: str) -> ModelFolder:
    """How the model was taught, without which nobody knows what pages to show it."""
    if known.folder is None:
        raise BuildError(
            f"{model} carries no recipe of its pages (no psgimg.json): it was not taught by psgimg; "
            "give a folder that `psgimg sft` wrote"
        )
    return known.folder


def _refuse_to_replace(folder: Path, night: Path) -> None:
    """Stages that a scorer mended in place are a scorer's work, and those of another night not ours."""
    try:
        written = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
        known, signal = dict(written["files"]), written["signal"]
    except (OSError, ValueError, LookupError, TypeError):
        known, signal = {}, None
    for path in (folder / name for name in HASHED):
        if path.is_file() and atomic_file.sha256(path) != known.get(path.name):
            raise BuildError(
                f"{path} is not as `psgimg stage` wrote it; move it away or choose another --out"
            )
    if known and signal != _signal(night):
        raise BuildError(
            f"{folder} holds the stages of another recording named {night.name}; choose another --out"
        )


def _signal(night: Path) -> str | None:
    """What tells a recording from another of its name; None for a format that is a folder."""
    return atomic_file.sha256(night) if night.is_file() else None


def _staged(
    night: UnscoredNight,
    taught: ModelFolder,
    lit: tuple[float | None, float | None],
    config: StageConfig,
    progress: Progress,
) -> StagedNight:
    """Every page that can be drawn, staged."""
    from psgimg.finetune.models.loading import load_for_inference

    progress.start("staging", len(night.epochs), "pages")
    loaded = load_for_inference(config.model, trust_remote_code=config.trust_remote_code)
    asker = predictors.scoring(loaded.model, loaded.processor, taught.prompt.answers, progress.note)
    probabilities = np.full((night.n_epochs, len(STAGE_NAMES)), np.nan)
    masses = []
    for batch in inference.answers(
        unscored_night.pages(night), asker, taught.prompt, taught.context, config.batch_size
    ):
        for page, answer in batch:
            assert answer.probabilities is not None
            assert answer.log_mass is not None
            probabilities[page.epoch] = answer.probabilities
            masses.append(np.exp(answer.log_mass))
        progress.advance(len(batch))
    if np.mean(masses) < EXPECTED_MASS:
        progress.note(
            f"the model gave its five answers {np.mean(masses):.0%} of the probability: it would "
            "rather say something else, and what it was taught has not stuck"
        )
    return StagedNight(
        name=night.path.name,
        start=night.start.replace(tzinfo=None) if night.start else None,
        probabilities=probabilities,
        lights_off_s=lit[0],
        lights_on_s=lit[1],
        review_below=config.review,
        unscored=night.left_out,
    )


def _write(room: Path, found: StagedNight, facts: Mapping[str, Any]) -> None:
    hypnogram_files.write_table(room / TABLE, found)
    hypnogram_files.write_annotations(room / ANNOTATIONS, found)
    plot_night.write(room / PICTURE, found)
    hashes = {name: atomic_file.sha256(room / name) for name in HASHED}
    text = json.dumps({**facts, "files": hashes}, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_file.write_text(room / FIGURES, text + "\n")


def _facts(
    found: StagedNight, night: UnscoredNight, known: Known, taught: ModelFolder, config: StageConfig
) -> dict[str, Any]:
    """The statistics, and what they hang on."""
    lanes = zip(night.recipe.montage.lanes, night.derivations, strict=True)
    return {
        "psgimg": version("psgimg"),
        "versions": versions(),
        "night": found.name,
        "signal": _signal(config.night),
        "model": Path(config.model).name if Path(config.model).is_dir() else config.model,
        "weights": known.weights,
        "recipe_hash": taught.recipe_hash,
        "prompt": taught.prompt_name,
        "context": taught.context,
        "lanes": {lane.name: drawn.name if drawn else None for lane, drawn in lanes},
        "mains_hz": config.mains_hz,
        "notes": list(night.notes),
        "lights_off_s": found.lights_off_s,
        "lights_on_s": found.lights_on_s,
        "review_below": found.review_below,
        "epochs": {
            "recording": len(found),
            "left_out": dict(found.unscored),
            "lights_off_to_on": len(found.stages[found.in_bed]),
            "to_review": int(found.review[found.in_bed].sum()),
        },
        "statistics": found.statistics.to_dict(),
    }
