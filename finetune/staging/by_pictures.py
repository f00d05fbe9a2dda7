"""By pictures: a night is staged by a vision-language model, from pages drawn as those of its training."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.builder import unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored_night import NightPages, UnscoredNight
from psgimg.builder.words import percent
from psgimg.finetune import optional_dependencies
from psgimg.finetune.decoding import decoded
from psgimg.finetune.decoding.decoded import Decoding
from psgimg.finetune.inference import opening
from psgimg.finetune.inference.opening import Crew, OpenModel, Wish
from psgimg.finetune.metrics import plotting
from psgimg.finetune.models import identity
from psgimg.finetune.models.identity import ModelIdentity
from psgimg.finetune.models.manifest import ModelFolder, versions
from psgimg.finetune.staging import against_training, inference, night_probabilities
from psgimg.finetune.staging.against_training import Differences
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.staging.stager import Lights, Opinion

EXPECTED_MASS = 0.5
"""A trained model puts nearly all its probability on the five answers; below this, a note is shown."""


@dataclass(frozen=True, eq=False)
class PictureStager:
    """A model that reads pages, and a night whose pages it can be shown.

    Parameters
    ----------
    trained
        How the model was trained.
    differences
        What differs between the night and the pages of the training.
    decoding
        How the model's answers become the probabilities of the night.
    """

    config: StageConfig
    night: UnscoredNight
    trained: ModelFolder
    model: ModelIdentity
    differences: Differences
    decoding: Decoding

    @property
    def shown(self) -> str:
        """The model's name, without the folders of this machine."""
        name = self.config.model
        return Path(name).name if Path(name).is_dir() else name

    @property
    def name(self) -> str:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        return f"{self.shown}, from pictures"

    @property
    def notes(self) -> tuple[str, ...]:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        return self.differences.notes

    @property
    def unseen_lanes(self) -> str | None:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        return self.differences.unseen_lanes

    @property
    def doubt(self) -> str:
        """None but lanes that were never absent."""
        return ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        return {
            "versions": versions(),
            "model": self.shown,
            "reads": "pictures",
            "weights": self.model.weights,
            "recipe_hash": self.trained.recipe_hash,
            "prompt": self.trained.prompt_name,
            "context": self.trained.context,
            "context_scale": self.trained.context_scale,
            **self.decoding.settings(),
        }

    def stage(self, lights_s: Lights, progress: Progress) -> Opinion:
        """Draw all pages, with the lights on too, and have the model stage them.

        Raises
        ------
        BuildError, RecordingError
            If the device, the model or the signals can't be used.
        """
        del lights_s
        config = self.config
        crew = opening.crew(
            OpenModel(config.model, config.dtype, config.trust_remote_code),
            self.trained.prompt.answers,
            Wish(config.device, config.batch_size, config.loaders),
            len(self.night.epochs),
            progress.note,
        )
        progress.start("reading signals")
        pages = unscored_night.pages(self.night)
        for note in pages.notes:
            progress.note(note)
        found = _probabilities(self.night, pages, self.trained, crew, progress)
        odds, of_pages = night_probabilities.decoded(found, self.night.grid, self.decoding)
        return Opinion(
            odds, pages.quality, pages.polarity, pages.notes, page_probabilities=of_pages
        )


def open_night(config: StageConfig, signals: SignalFile | None = None) -> PictureStager:
    """Return a model and the night to stage.

    Parameters
    ----------
    signals
        Those of the night; None to open its file.

    Raises
    ------
    BuildError, RecordingError
        If the model or the recording can't be used, or do not go together.
    """
    optional_dependencies.require()
    model = identity.identify(config.model)
    trained = _trained(model, config.model)
    decoding = decoded.of_model(
        trained.transitions, trained.calibration, config.decode, config.model
    )
    recipe = Recipe.from_dict(trained.recipe)
    if config.polarity is not None:
        recipe = replace(recipe, polarity=config.polarity)
    night = unscored_night.open_night(
        signals or config.night,
        recipe,
        channels=config.channels or {},
        mains_hz=config.mains_hz,
        epoch_s=against_training.epoch_s(trained),
        scoring=config.scoring,
        scoring_format=config.scoring_format,
    )
    differences = against_training.check(night, trained, config.model, any_lanes=config.any_lanes)
    return PictureStager(config, night, trained, model, differences, decoding)


def _trained(model_identity: ModelIdentity, model: str) -> ModelFolder:
    """Return how a model was trained, which determines how its pages are drawn."""
    if model_identity.folder is None:
        raise BuildError(
            f"{model} has no recipe for its pages (no psgimg.json), so it was not trained by psgimg; "
            "give a folder written by `psgimg sft`"
        )
    return model_identity.folder


def _probabilities(
    night: UnscoredNight,
    pages: NightPages,
    trained: ModelFolder,
    crew: Crew,
    progress: Progress,
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return (n, 5) probabilities of every epoch of a night; NaN for those without a page."""
    probabilities = np.full((len(night.grid), len(STAGE_NAMES)), np.nan)
    rows = {number: row for row, number in enumerate(night.grid.epochs)}
    masses = []
    read = inference.Questions(trained.prompt, trained.shown)
    with ThreadPoolExecutor(1) as beside, crew.fleet as fleet:
        drawn = beside.submit(lambda: list(inference.asked(pages, trained.context)))
        progress.start("loading the model")
        fleet.begin()
        progress.start("staging", len(night.epochs), "pages")
        answers = inference.answers(drawn.result(), fleet, read, crew.batch_size)
        for number, batch in enumerate(answers):
            for page, answer in batch:
                assert answer.probabilities is not None
                assert answer.log_mass is not None
                probabilities[rows[page.epoch]] = answer.probabilities
                masses.append(np.exp(answer.log_mass))
            if number == 0:  # not before, while processes are forked
                beside.submit(plotting.load)
            progress.advance(len(batch))
    if np.mean(masses) < EXPECTED_MASS:
        progress.note(
            f"the model puts {percent(float(np.mean(masses)))} of its probability on the five answers; it is "
            "probably undertrained"
        )
    return probabilities
