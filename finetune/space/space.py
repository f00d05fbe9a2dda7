"""Space: write the files of a Hugging Face Space that stages a recording dropped on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from psgimg.builder import atomic_file, atomic_folder
from psgimg.builder.card import templates
from psgimg.builder.errors import BuildError
from psgimg.finetune import hub
from psgimg.finetune.models import identity
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.training import model_card

FILES = {"app.py": "space/app.py.j2", "Dockerfile": "space/Dockerfile.j2"} | {
    "README.md": "space/README.md.j2"
}
"""File → template."""

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Space:
    """What was written.

    Parameters
    ----------
    private
        Why the Space must be private; "" if it may be public.
    """

    out: Path
    private: str


def write(model: str, out: Path) -> Space:
    """Write a Space for a model, complete or not at all.

    Parameters
    ----------
    model
        Id of a model on the Hub that was trained by psgimg.
    out
        Output folder; must not exist, or be empty.

    Raises
    ------
    BuildError
        If there is no such model, psgimg did not train it, or the folder can't be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BuildError(f"{out} exists already; choose another folder or remove it")
    if hub.folder(model) is not None or not REPOSITORY.fullmatch(model):
        raise BuildError(
            f"--model {model}: a Space downloads its model from the Hub; publish it with `psgimg push`, "
            "and give its id, NAME/MODEL"
        )
    trained = identity.identify(model).folder
    if trained is None:
        raise BuildError(
            f"{model} has no recipe for its pages (no psgimg.json); give a model trained by `psgimg sft`"
        )
    private = _private(model, trained)
    values = {
        "model": model,
        "version": version("psgimg"),
        "limits": _limits(trained),
        "private": private,
        "licence": "" if private else "apache-2.0",
    }
    with atomic_folder.whole(out, Path(model), tuple, "space") as room:
        for name, template in FILES.items():
            atomic_file.write_text(room / name, templates.render(template, values))
    return Space(out, private)


def _private(model: str, trained: ModelFolder) -> str:
    """Return why a Space of a model must be private; "" if it need not be."""
    if corpora := sorted(model_card.restricted(trained)):
        return f"the model was trained on pages of {', '.join(corpora)}, whose terms restrict it."
    if not hub.is_public(model):
        return "its model is private or gated."
    return ""


def _limits(trained: ModelFolder) -> str:
    """Return what a visitor must know of a model."""
    lanes = ", ".join(lane["name"] for lane in trained.recipe["montage"]["lanes"])
    return (
        "Automatic stages of a model that learned from "
        f"{', '.join(sorted(trained.corpora))}; on people, recorders and montages unlike those it may "
        f"fail without a sign. It looks at {lanes}. Every stage is to be reviewed by a scorer."
    )
