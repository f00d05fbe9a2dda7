"""Model identity: the manifest and a hash of the weights, without loading the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.files import bounded
from psgimg.builder.render.recipe import digest
from psgimg.finetune import hub
from psgimg.finetune.models import manifest as folders
from psgimg.finetune.models import model_files
from psgimg.finetune.models.manifest import ModelFolder

CONFIGS = (folders.FILE, model_files.ADAPTER, model_files.CONFIG)
SUFFIXES = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")
TRAINING_RECORDS = (folders.SETTINGS_FILE, "training.json", "training_args.bin")
"""Files that may differ between equal models: they record times and local folders of training."""

SIDECARS = (".parquet.json", ".csv.json", ".jsonl.json")
"""Ends of the names of files beside predictions, which users write into a model's folder too."""

CALIBRATION = "calibration"
"""Key of the manifest that is fitted to predictions, and so after them."""


@dataclass(frozen=True)
class ModelIdentity:
    """Identity of a model before it is loaded.

    Parameters
    ----------
    folder
        Manifest of a model fine-tuned with psgimg; None for other models.
    weights
        Hash of the files of a folder, or commit on the Hub; differs between different weights. A
        calibration does not change it.
    """

    folder: ModelFolder | None
    weights: str


def identify(source: str) -> ModelIdentity:
    """Return the identity of a model in a folder or on the Hub.

    Raises
    ------
    BuildError
        If there is no such model, or its training is not finished.
    """
    if (local := hub.folder(source)) is not None:
        return ModelIdentity(ModelFolder.of(local), _digest(local))
    hub.require(source, "model")
    # Imports torch, which a local folder does not need.
    from psgimg.finetune.models.loading import fetch

    configs = [path for name in CONFIGS if (path := fetch(source, name)) is not None]
    if not configs:
        return ModelIdentity(None, "")  # loading the model will raise an error
    folder, fine_tuned = configs[0].parent, configs[0].name == folders.FILE
    return ModelIdentity(ModelFolder.load(folder) if fine_tuned else None, folder.name)


def _digest(folder: Path) -> str:
    """Return a hash of the files that determine the answers of a model."""
    files = [path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file()]
    paths = sorted(path for path in files if not path.name.endswith(SIDECARS))
    hashed = [path for path in paths if path.name not in TRAINING_RECORDS]
    contents: dict[str, Any] = {path.name: atomic_file.sha256(path) for path in hashed}
    if folders.FILE in contents:
        manifest = dict(bounded.read_json(folder / folders.FILE))
        manifest.pop(CALIBRATION, None)
        contents[folders.FILE] = digest(manifest)
    return digest(contents)
