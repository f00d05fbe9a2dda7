"""Weights file: a trained network of a baseline on disk, with its facts and what else belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def write(
    path: Path, model: nn.Module, facts: Mapping[str, Any], further: Mapping[str, Any]
) -> None:
    """Write weights, facts, and further tensors and numbers."""
    import torch

    weights = {name: value.cpu() for name, value in model.state_dict().items()}
    torch.save({"weights": weights, **further, "facts": json.dumps(facts)}, path)


def read(path: Path) -> dict[str, Any]:
    """Return what ``write`` wrote: ``weights``, ``facts`` and the further values; nothing is executed."""
    import torch

    values: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return {**values, "facts": json.loads(values["facts"])}
