"""Families: where a vision-language model keeps its parts. The only code that knows of any family."""

from __future__ import annotations

import re
from typing import Any

from psgimg.builder.errors import BuildError
from torch import nn

NOT_ADAPTED = ("lm_head", "gate", "router", "shared_expert_gate")
"""Linear layers that LoRA leaves alone: TRL refuses the head, and a router must stay as it is."""

COUNTS_PIXELS = ("Qwen2VL", "Glm4v")
"""Image processors whose ``size["longest_edge"]`` is a number of pixels, by the start of their
class's name. All others make the same picture of every page, or tiles of a fixed size."""


def lora_targets(model: Any, vision: bool) -> str:
    """Pattern of the layers to adapt: attention and MLP of the language model.

    Whole names, because names such as ``gate_proj`` occur in vision towers too.

    Parameters
    ----------
    vision
        Adapt the vision tower as well.

    Raises
    ------
    BuildError
        If the model's parts can't be told apart.
    """
    parts = [_language_model(model), *([_vision_tower(model)] if vision else [])]
    return "|".join(_pattern(model, part) for part in parts)


def vision_layers(model: Any) -> str:
    """Pattern of all layers of the vision tower."""
    return rf"{re.escape(_name(model, _vision_tower(model)))}\..*"


def freeze_vision(model: Any) -> None:
    """Leave the vision tower as it is; what joins it to the language model goes on learning.

    In families that count the joint among the tower's layers (Qwen), it is left alone too.
    """
    _vision_tower(model).requires_grad_(False)


def cap_pixels(processor: Any, max_pixels: int) -> None:
    """Have larger pages scaled down to at most so many pixels, now and wherever it is loaded.

    Raises
    ------
    BuildError
        If the family has no such cap.
    """
    images = processor.image_processor
    if not type(images).__name__.startswith(COUNTS_PIXELS):
        raise BuildError(
            f"--max-pixels {max_pixels}: {type(images).__name__} has no cap on pixels; leave the "
            "option out, or build the dataset with a smaller style"
        )
    smallest = images.size["shortest_edge"]
    if max_pixels < smallest:
        raise BuildError(f"--max-pixels {max_pixels}: the processor's least is {smallest}")
    images.size = {"shortest_edge": smallest, "longest_edge": max_pixels}


def n_image_tokens(model: Any, processor: Any, input_ids: Any) -> int:
    """Tokens that stand for parts of pictures among ``input_ids``."""
    token = getattr(processor, "image_token_id", None)
    if token is None:
        token = getattr(model.config, "image_token_id", None)
    return 0 if token is None else int((input_ids == token).sum())


def _language_model(model: Any) -> nn.Module:
    part = model.get_decoder()
    return _there(model, part, "language model")


def _vision_tower(model: Any) -> nn.Module:
    return _there(model, model.get_encoder(modality="image"), "vision tower")


def _there(model: Any, part: Any, what: str) -> nn.Module:
    """A part as ``transformers`` found it; where it finds none, it gives the whole or None."""
    if isinstance(part, nn.Module) and part is not model and part is not model.base_model:
        return part
    raise BuildError(
        f"{type(model).__name__}: its {what} can't be told from the rest; name the layers with "
        "--lora-target-modules, and pass --freeze-vision false"
    )


def _pattern(model: Any, part: nn.Module) -> str:
    """Pattern of the linear layers of a part by their whole names in the model."""
    name = _name(model, part)
    linear = {
        inner.rpartition(".")[2]
        for inner, module in part.named_modules()
        if isinstance(module, nn.Linear)
    }
    leaves = "|".join(re.escape(leaf) for leaf in sorted(linear - set(NOT_ADAPTED)))
    return rf"(?:{re.escape(name)}\.(?:.*\.)?(?:{leaves}))"


def _name(model: Any, part: nn.Module) -> str:
    names: dict[nn.Module, str] = {module: name for name, module in model.named_modules()}
    return names[part]
