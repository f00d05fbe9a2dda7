"""Weights: which ones a model has and how it was taught, told without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.render.recipe import digest
from psgimg.finetune.models import manifest as folders
from psgimg.finetune.models.manifest import ModelFolder

CONFIGS = (folders.FILE, "adapter_config.json", "config.json")
SUFFIXES = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")
OF_THE_TRAINING = ("asked.json", "training.json", "training_args.bin")
"""How the training went, with its seconds and folders: equal models may differ in them."""


@dataclass(frozen=True)
class Known:
    """What is known of a model before it is loaded.

    Parameters
    ----------
    folder
        How it was taught; None for a model that was not taught by psgimg.
    weights
        Hash of a folder's files, or a commit on the Hub: other weights have another.
    """

    folder: ModelFolder | None
    weights: str


def known(source: str) -> Known:
    """What is known of a folder or of a model on the Hub.

    Raises
    ------
    BuildError
        If it is neither.
    """
    local = Path(source).expanduser()
    if local.is_dir():
        taught = (local / folders.FILE).is_file()
        return Known(ModelFolder.load(local) if taught else None, _digest(local))
    from psgimg.finetune.models.loading import (
        fetch,  # and with it torch, which a folder here needs not
    )

    found = [path for name in CONFIGS if (path := fetch(source, name)) is not None]
    if not found:
        return Known(None, "")  # loading it will say what is wrong
    taught = found[0].name == folders.FILE
    return Known(ModelFolder.load(found[0].parent) if taught else None, found[0].parent.name)


def _digest(folder: Path) -> str:
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    deciding = [path for path in paths if path.name not in OF_THE_TRAINING]
    return digest({path.name: atomic_file.sha256(path) for path in deciding})
