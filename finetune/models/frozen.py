"""Frozen: a vision tower that does not learn runs without gradients, whatever asks for them."""

from __future__ import annotations

from typing import Any

import torch
from psgimg.finetune.models import families


def without_gradients(model: Any) -> bool:
    """Run the vision tower without gradients if all its weights are frozen; return whether it is so.

    With activation checkpointing, peft makes the input of the tower require gradients, which are then
    computed through the whole tower and not used. The loss and all other gradients stay the same.
    """
    tower: Any = families.vision_tower(model)
    if any(parameter.requires_grad for parameter in tower.parameters()):
        return False
    tower.forward = torch.no_grad()(tower.forward)
    return True
