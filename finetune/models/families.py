"""Model families: how to find the parts of a vision-language model. Other code knows no families."""

from __future__ import annotations

import re
from typing import Any

from psgimg.builder.errors import BuildError
from torch import nn

NOT_ADAPTED = ("lm_head", "gate", "router", "shared_expert_gate")
"""Linear layers without LoRA: TRL does not support the head, and routers must not change."""

PACKED = ("qwen2_5_vl", "qwen3_vl", "qwen3_5")
"""Families whose vision tower takes the pages of a batch as one sequence, with their boundaries."""

CONSTANT = (*PACKED[:2], "llava", "llava_next", "idefics3", "smolvlm")
"""Families whose layers see the same shapes for all pages of one size, and can be compiled."""

PROJECTOR = "projector"
"""What connects vision tower and language model, among the modules of an adapter that learn whole."""

MERGERS = ("merger", "deepstack_merger_list")
"""Modules that do so within the vision tower (Qwen)."""

COUNTS_PIXELS = ("Qwen2VL", "Glm4v")
"""Image processors whose ``size["longest_edge"]`` is a number of pixels, by the prefix of their
class name. All others scale pages to one size or cut them into tiles of a fixed size."""


def bare(model: Any) -> Any:
    """Return the model behind an adapter, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def language_model(model: Any) -> nn.Module:
    """Return the language model without its head; BuildError if it can't be identified."""
    return _language_model(bare(model))


def vision_tower(model: Any) -> nn.Module:
    """Return the vision tower; BuildError if it can't be identified."""
    return _vision_tower(bare(model))


def packs_pages(model: Any) -> bool:
    """Whether the vision tower takes the pages of a batch as one sequence, with their boundaries."""
    return bare(model).config.model_type in PACKED


def has_constant_shapes(model: Any) -> bool:
    """Whether the layers see the same shapes for all pages of one size."""
    return bare(model).config.model_type in CONSTANT


def lora_targets(model: Any, vision: bool) -> str:
    """Return a regular expression for the layers to adapt: attention and MLP of the language model.

    It matches full names, because names such as ``gate_proj`` occur in vision towers too.

    Parameters
    ----------
    vision
        Whether to adapt the vision tower as well.

    Raises
    ------
    BuildError
        If the parts of the model can't be identified.
    """
    parts = [_language_model(model), *([_vision_tower(model)] if vision else [])]
    return "|".join(_pattern(model, part) for part in parts)


def projectors(model: Any) -> list[str]:
    """Return the names of the modules that connect the vision tower with the language model.

    Raises
    ------
    BuildError
        If there are none.
    """
    inner, tower = bare(model).base_model, vision_tower(model)
    parts = [tower, language_model(model)]
    found = [part for part in inner.children() if part not in parts and list(part.parameters())]
    if not found:
        mergers = [getattr(tower, name) for name in MERGERS if hasattr(tower, name)]
        found = [
            module
            for part in mergers
            for module in (part if isinstance(part, nn.ModuleList) else [part])
        ]
    if not found:
        raise BuildError(
            f"{type(bare(model)).__name__}: its projector can't be identified; name the modules with "
            "--lora-modules-to-save"
        )
    return [_name(bare(model), module) for module in found]


def vision_layers(model: Any) -> str:
    """Return a regular expression for all layers of the vision tower."""
    return rf"{re.escape(_name(model, _vision_tower(model)))}\..*"


def freeze_vision(model: Any) -> None:
    """Freeze the vision tower, but not the projector that connects it to the language model.

    In families where the projector is part of the tower (Qwen), it is frozen too.
    """
    _vision_tower(model).requires_grad_(False)


def cap_pixels(processor: Any, max_pixels: int) -> None:
    """Set the maximum number of pixels of a page in the processor, which is saved with it.

    Raises
    ------
    BuildError
        If the family has no such limit, or its minimum is higher.
    """
    images = processor.image_processor
    if not type(images).__name__.startswith(COUNTS_PIXELS):
        raise BuildError(
            f"--max-pixels {max_pixels}: {type(images).__name__} has no limit on pixels; leave the "
            "option out, or build the dataset with a smaller style"
        )
    smallest = images.size["shortest_edge"]
    if max_pixels < smallest:
        raise BuildError(
            f"--max-pixels {max_pixels}: must be at least {smallest} for this processor"
        )
    images.size = {"shortest_edge": smallest, "longest_edge": max_pixels}


def n_image_tokens(model: Any, processor: Any, input_ids: Any) -> int:
    """Return the number of image tokens in ``input_ids``."""
    token = getattr(processor, "image_token_id", None)
    if token is None:
        token = getattr(model.config, "image_token_id", None)
    return 0 if token is None else int((input_ids == token).sum())


def _language_model(model: Any) -> nn.Module:
    part = model.get_decoder()
    return _checked_part(model, part, "language model")


def _vision_tower(model: Any) -> nn.Module:
    return _checked_part(model, model.get_encoder(modality="image"), "vision tower")


def _checked_part(model: Any, part: Any, what: str) -> nn.Module:
    """Return a part found by ``transformers``, which gives the whole model or None if it fails."""
    if isinstance(part, nn.Module) and part is not model and part is not model.base_model:
        return part
    raise BuildError(
        f"{type(model).__name__}: its {what} can't be identified; name the layers with "
        "--lora-target-modules, and pass --freeze-vision false"
    )


def _pattern(model: Any, part: nn.Module) -> str:
    """Return a regular expression for the linear layers of a part by their full names."""
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
