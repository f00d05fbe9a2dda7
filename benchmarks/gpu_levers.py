"""Levers on the speed of Qwen3-VL, each of which leaves the result of the model as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

VARLEN = "psgimg_flash_varlen"
"""Name of the attention function; transformers gives boundaries to names that contain "flash"."""

DELTAS = "rope_deltas"
"""Distance of the text's positions from the number of tokens before it, for a continued prompt."""


def varlen_attention() -> bool:
    """Register attention over several pictures in one call, if this torch has it."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return False
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    def attend(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, None]:
        first, last = kwargs["cu_seq_lens_q"], kwargs["cu_seq_lens_k"]
        lengths = int(kwargs["max_length_q"]), int(kwargs["max_length_k"])
        q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
        attended: Any = varlen_attn(q, k, v, first.int(), last.int(), *lengths)
        return attended[None], None

    ALL_ATTENTION_FUNCTIONS.register(VARLEN, attend)
    return True


def use_varlen(model: Any) -> None:
    """Let the vision tower attend within all pictures of a batch in one call; no-op on a CPU."""
    if model.device.type == "cpu":
        return
    if not varlen_attention():
        raise RuntimeError("this torch has no varlen_attn")
    model.model.visual.config._attn_implementation = VARLEN


def compile_layers(model: Any, *, text: bool = True, vision: bool = True) -> None:
    """Compile each layer by itself, which takes seconds where the whole model takes minutes."""
    inner = base(model).model
    torch._dynamo.config.cache_size_limit = 64
    if vision:
        for block in inner.visual.blocks:
            block.compile()
    if text:
        for layer in inner.language_model.layers:
            layer.compile()


def base(model: Any) -> Any:
    """Return the model behind an adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def positions(model: Any) -> Callable[[Any], Any]:
    """Return a function that adds to a batch on the CPU what the model derives from its grids.

    On the card, the model derives them page by page and waits for the card each time.
    """
    config = base(model).config
    kind = type(base(model).model)
    shell = object.__new__(kind)
    object.__setattr__(shell, "config", config)
    vision = config.vision_config

    def add(batch: Any) -> Any:
        from transformers import vision_utils

        grid = batch["image_grid_thw"]
        batch["position_ids"], batch[DELTAS] = kind.get_rope_index(
            shell,
            batch["input_ids"],
            mm_token_type_ids=batch["mm_token_type_ids"],
            image_grid_thw=grid,
            attention_mask=batch["attention_mask"],
        )
        merge = vision.spatial_merge_size
        batch["image_position_ids"] = vision_utils.get_vision_position_ids(grid, merge)
        indices, weights = vision_utils.get_vision_interpolation_indices_and_weights(
            grid,
            num_grid_per_side=int(vision.num_position_embeddings**0.5),
            mode="bilinear",
            align_corners=True,
            spatial_merge_size=merge,
        )
        batch["image_interp_indices"], batch["image_interp_weights"] = indices, weights
        bounds = vision_utils.get_vision_cu_seqlens(grid)
        batch["image_cu_seqlens"] = bounds
        batch["image_max_seqlen"] = int((bounds[1:] - bounds[:-1]).max())
        return batch

    return add
