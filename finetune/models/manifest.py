"""Manifest: ``psgimg.json`` of a model, with all that inference needs to prompt it as in training."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NotRequired, cast

from annotated_types import Ge, Gt, Interval, MinLen
from psgimg.builder import atomic_file
from psgimg.builder.dataset import json_form
from psgimg.builder.dataset.build_json import Commands, CorpusName, Hash, Line, RecipeJson, Version
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.render.recipe import digest
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.context import MAX_CONTEXT, NARROWEST, WHOLE, Context
from psgimg.finetune.decoding.calibration_fit import Calibration, CalibrationJson
from psgimg.finetune.decoding.transitions import Transitions, TransitionsJson
from psgimg.finetune.lanes.seen import LanesJson, LanesSeen
from typing_extensions import TypedDict

FILE = "psgimg.json"
SETTINGS_FILE = "asked.json"
"""Settings of a training, which it saves before anything else."""

CHECKPOINT = "checkpoint-"
"""Beginning of the names of the checkpoints in the folder of a training."""

TINY = "tiny"
"""Name of the model that is created from scratch, in place of a folder or an id on the Hub."""

NOT_NEEDED = {
    *("fold", "lanes", "epochs_s", "transitions", "calibration", "variants"),
    *("context_scale", "context_mixed", "soft_labels"),
}
"""Keys without which a manifest can be read; see ``ManifestJson``."""

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that train and load a model."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


class AnswersJson(TypedDict):
    """The answer for each stage."""

    W: str
    N1: str
    N2: str
    N3: str
    REM: str


class PromptJson(TypedDict):
    """The prompt, under the name of its preset or file."""

    name: str
    system: str
    question: str
    answers: AnswersJson


class FoldJson(TypedDict):
    """The fold that a model was trained for, from 0, and the number of folds."""

    number: Annotated[int, Ge(0)]
    of: Annotated[int, Ge(1)]


class ManifestJson(TypedDict):
    """The keys of ``psgimg.json`` with their types; see ``ModelFolder`` for their meaning.

    Without ``lanes``, only pages with all lanes count as seen in training.
    """

    psgimg: Version
    versions: dict[str, str]
    prompt: PromptJson
    context: Annotated[int, Interval(ge=0, le=MAX_CONTEXT)]
    recipe: dict[str, Any]
    recipe_hash: Hash
    policy: Line
    corpora: list[CorpusName]
    subjects: list[Hash]
    dataset: dict[str, Line | None]
    base_model: Line
    max_pixels: Annotated[int, Ge(1)] | None
    fold: NotRequired[FoldJson | None]
    lanes: NotRequired[LanesJson]
    epochs_s: NotRequired[Annotated[list[Annotated[float, Gt(0)]], MinLen(1)]]
    transitions: NotRequired[list[TransitionsJson]]
    calibration: NotRequired[CalibrationJson | None]
    variants: NotRequired[list[Commands]]
    context_scale: NotRequired[Annotated[float, Interval(ge=NARROWEST, le=WHOLE)]]
    context_mixed: NotRequired[bool]
    soft_labels: NotRequired[bool]


@dataclass(frozen=True)
class ModelFolder:
    """How a model was fine-tuned, and so how it must be prompted.

    Parameters
    ----------
    prompt, prompt_name
        The prompt, and the name of its preset or file.
    context
        Neighbouring pages shown on either side of the page to stage.
    recipe, recipe_hash
        How its pages were drawn; the model must not be used on pages drawn by another recipe.
    policy, corpora
        The strictest policy of the corpora it was trained on, and their names.
    subjects
        Hashes of the subjects it was trained on (:mod:`psgimg.finetune.models.provenance`).
    dataset
        ``id`` (a Hub id, or the name of a folder), ``config`` and ``revision``.
    base_model
        The model from which training started.
    max_pixels
        Maximum pixels per page set in the processor; None means the default of the model.
    fold
        ``number`` of the fold whose people are for testing, and how many there are (``of``); None if
        it was trained on the train split.
    lanes
        Which lanes were absent from its training pages, and which derivations they showed, in all
        trainings on pages of this recipe.
    epochs_s
        Lengths of the scored epochs that it learned, in seconds.
    transitions
        How stages follow each other in the hypnograms of the people it was trained on.
    calibration
        What was fitted to its predictions of other people; None before `psgimg calibrate`.
    variants
        How the signals of each variant were changed among which this training drew.
    context_scale
        Width of a neighbour relative to the page; below 1, they stand beside it in one picture.
    context_mixed
        Whether it learned from pages with fewer neighbours than ``context`` as well.
    soft_labels
        Whether it learned the shares of all scorers of a page, not the label of one.
    psgimg, versions
        Versions that wrote the folder.
    """

    prompt: Prompt
    prompt_name: str
    context: int
    recipe: RecipeJson
    recipe_hash: str
    policy: str
    corpora: tuple[str, ...]
    subjects: tuple[str, ...]
    dataset: Mapping[str, str | None]
    base_model: str
    max_pixels: int | None
    fold: Mapping[str, int] | None = None
    lanes: LanesSeen = dataclasses.field(default_factory=LanesSeen)
    epochs_s: tuple[float, ...] = (PAGE_S,)
    transitions: Transitions = dataclasses.field(default_factory=Transitions)
    calibration: Calibration | None = None
    variants: tuple[str, ...] = ()
    context_scale: float = WHOLE
    context_mixed: bool = False
    soft_labels: bool = False
    psgimg: str = dataclasses.field(default_factory=lambda: version("psgimg"))
    versions: Mapping[str, str] = dataclasses.field(default_factory=versions)

    @property
    def shown(self) -> Context:
        """The neighbours that a page is shown with."""
        return Context(self.context, self.context_scale)

    def save(self, folder: Path) -> None:
        """Write ``psgimg.json``, complete or not at all."""
        values = dataclasses.asdict(self)
        values["lanes"] = self.lanes.to_json()
        values["transitions"] = self.transitions.to_json()
        values["prompt"] = {"name": values.pop("prompt_name"), **values["prompt"]}
        order = ("psgimg", "versions", *values)
        text = json.dumps({key: values[key] for key in order}, indent=1, ensure_ascii=False)
        atomic_file.write_text(folder / FILE, text + "\n")

    @classmethod
    def load(cls, folder: Path) -> ModelFolder:
        """Read ``psgimg.json``.

        Raises
        ------
        BuildError
            If it is missing, damaged or incomplete.
        """
        path = folder / FILE
        try:
            values = bounded.read_json(path)
        except FileNotFoundError as error:
            raise BuildError(
                f"{folder} has no {FILE}; use a folder written by `psgimg sft`"
            ) from error
        except (OSError, ValueError) as error:
            raise BuildError(f"{path}: {' '.join(str(error).split())}; copy it again") from error
        return cls.from_values(values, str(path))

    @classmethod
    def of(cls, folder: Path) -> ModelFolder | None:
        """Read ``psgimg.json`` of any model; None if it was not fine-tuned with psgimg.

        Raises
        ------
        BuildError
            As for ``load``; or if the folder belongs to an unfinished training, or is a checkpoint of
            one, which does not say what the model has learned and from whom.
        """
        if (folder / FILE).is_file():
            return cls.load(folder)
        training = folder.resolve().parent
        if folder.resolve().name.startswith(CHECKPOINT) and (training / SETTINGS_FILE).is_file():
            finished = "" if (training / FILE).is_file() else " once the training is finished"
            raise BuildError(
                f"{folder} is a checkpoint, without the {FILE} of a model; use {training}{finished}"
            )
        if (folder / SETTINGS_FILE).is_file():
            raise BuildError(
                f"{folder} holds a training that is not finished: it has no {FILE}; finish it with "
                "the same `psgimg sft` and --resume-from-checkpoint true"
            )
        return None

    @classmethod
    def from_values(cls, values: Any, where: str) -> ModelFolder:
        """Return the manifest with these values of ``psgimg.json``.

        Raises
        ------
        BuildError
            If a key is missing, a value is of the wrong type, or the recipe does not match its hash.
        """
        names = ManifestJson.__annotations__.keys() - NOT_NEEDED
        if not isinstance(values, dict) or not names <= set(values):
            missing = ", ".join(sorted(names - set(values))) if isinstance(values, dict) else "all"
            raise BuildError(f"{where}: no {missing}; restore the file as written by `psgimg sft`")
        try:
            manifest = json_form.conform(values, ManifestJson)
        except json_form.FormError as error:
            raise BuildError(
                f"{where} is damaged ({error}); restore the file as written by `psgimg sft`"
            ) from error
        if digest(manifest["recipe"]) != manifest["recipe_hash"]:
            raise BuildError(
                f"{where}: the recipe does not match its hash {manifest['recipe_hash']}; "
                "restore the file as written by `psgimg sft`"
            )
        prompt = manifest["prompt"]
        answers: Mapping[str, Any] = prompt["answers"]
        ordered = {stage: str(answers[stage]) for stage in STAGE_NAMES}
        return cls(
            prompt=Prompt(prompt["system"], prompt["question"], ordered),
            prompt_name=prompt["name"],
            context=manifest["context"],
            recipe=cast(RecipeJson, manifest["recipe"]),
            recipe_hash=manifest["recipe_hash"],
            policy=manifest["policy"],
            corpora=tuple(manifest["corpora"]),
            subjects=tuple(manifest["subjects"]),
            dataset=manifest["dataset"],
            base_model=manifest["base_model"],
            max_pixels=manifest["max_pixels"],
            fold=cast("Mapping[str, int] | None", manifest.get("fold")),
            lanes=LanesSeen.from_json(manifest.get("lanes", LanesSeen().to_json())),
            epochs_s=tuple(manifest.get("epochs_s", (PAGE_S,))),
            transitions=Transitions.from_json(manifest.get("transitions", [])),
            calibration=_calibration(manifest.get("calibration")),
            variants=tuple(manifest.get("variants", ())),
            context_scale=manifest.get("context_scale", WHOLE),
            context_mixed=manifest.get("context_mixed", False),
            soft_labels=manifest.get("soft_labels", False),
            psgimg=manifest["psgimg"],
            versions=manifest["versions"],
        )


def _calibration(values: CalibrationJson | None) -> Calibration | None:
    return None if values is None else Calibration.from_json(values)
