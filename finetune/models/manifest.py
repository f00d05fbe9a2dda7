"""Model folder: what a model must carry to be asked as it was taught. ``psgimg.json`` is this, whole."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.dataset.build_json import RecipeJson
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.render.recipe import digest
from psgimg.builder.stages import STAGE_NAMES

FILE = "psgimg.json"
TINY = "tiny"
"""Name of the model that is made on the spot, instead of a folder or an id on the Hub."""

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def versions() -> dict[str, str]:
    """Versions of what trains and loads a model."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@dataclass(frozen=True)
class ModelFolder:
    """How a model was taught, and so how it is to be asked.

    Parameters
    ----------
    prompt, prompt_name
        The question; its name is that of the preset or file it came from.
    context
        Pages shown before and after the one asked for.
    recipe, recipe_hash
        How its pages were drawn: it is never shown pages drawn otherwise.
    policy, corpora
        The strictest policy of the corpora it learned from, and their names.
    subjects
        A hash of each subject it learned from (``lineage``).
    dataset
        ``id`` (a Hub id, or the name of a folder), ``config`` and ``revision``.
    base_model
        What training started from.
    max_pixels
        Cap on the pixels of a page that the processor has; None where it has its own.
    psgimg, versions
        What wrote the folder.
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
    psgimg: str = dataclasses.field(default_factory=lambda: version("psgimg"))
    versions: Mapping[str, str] = dataclasses.field(default_factory=versions)

    def save(self, folder: Path) -> None:
        """Write ``psgimg.json``, whole or not at all."""
        values = dataclasses.asdict(self)
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
            If there is none, or it is not whole.
        """
        path = folder / FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BuildError(
                f"{folder} has no {FILE}; give a folder that `psgimg sft` wrote"
            ) from error
        except (OSError, ValueError) as error:
            raise BuildError(f"{path}: {' '.join(str(error).split())}; copy it anew") from error
        return cls.from_values(values, str(path))

    @classmethod
    def from_values(cls, values: Any, where: str) -> ModelFolder:
        """The model folder whose ``psgimg.json`` holds these values.

        Raises
        ------
        BuildError
            If a key is missing or the recipe is not the one that was hashed.
        """
        names = {field.name for field in dataclasses.fields(cls)} - {"prompt_name"}
        if not isinstance(values, dict) or not names <= set(values):
            missing = ", ".join(sorted(names - set(values))) if isinstance(values, dict) else "all"
            raise BuildError(f"{where}: no {missing}; take the file as `psgimg sft` wrote it")
        if digest(values["recipe"]) != values["recipe_hash"]:
            raise BuildError(
                f"{where}: the recipe is not that of hash {values['recipe_hash']}; "
                "take the file as `psgimg sft` wrote it"
            )
        prompt = values["prompt"]
        if not {"name", "system", "question", "answers"} <= set(prompt):
            raise BuildError(
                f"{where}: the prompt is not whole; take the file as `psgimg sft` wrote it"
            )
        answers = {stage: prompt["answers"][stage] for stage in STAGE_NAMES}
        rest = {name: values[name] for name in names - {"prompt", "corpora", "subjects"}}
        return cls(
            prompt=Prompt(prompt["system"], prompt["question"], answers),
            prompt_name=prompt["name"],
            corpora=tuple(values["corpora"]),
            subjects=tuple(values["subjects"]),
            **rest,
        )
