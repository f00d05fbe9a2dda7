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


class WithPositions:
    """A collator whose batches bring what the model would derive from its grids."""

    def __init__(self, collate: Callable[[Any], Any], model: Any) -> None:
        self._collate, self._add = collate, positions(model)

    def __call__(self, examples: Any) -> Any:
        """Collate rows into a batch."""
        batch = self._add(self._collate(examples))
        del batch[DELTAS]
        return batch


def patches_by_product(model: Any) -> None:
    """Embed patches by a matrix product: their convolution has a stride as long as its kernel."""
    embed = base(model).model.visual.patch_embed

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        weight = embed.proj.weight.reshape(embed.embed_dim, -1)
        flat = pixels.reshape(-1, weight.shape[1]).to(weight.dtype)
        return torch.nn.functional.linear(flat, weight, embed.proj.bias)

    embed.forward = forward


def score_in_one_pass(model: Any, scorer: Any, encoded: Any) -> torch.Tensor:
    """Return the log-probabilities of the answers, with their tree behind the prompt, uncached."""
    from psgimg.finetune.inference.prefix_tree import Tree

    values = dict(encoded)
    deltas = values.pop(DELTAS)
    prompt = values["attention_mask"]
    n, n_prompt = prompt.shape
    tree = Tree.of(scorer._candidates(prompt.device))
    m = len(tree.tokens)
    tokens = torch.tensor(tree.tokens, device=prompt.device).expand(n, -1)
    depths = torch.tensor(tree.depths, device=prompt.device)
    after = prompt.sum(-1, keepdim=True) + depths + deltas
    visible = torch.ones(n_prompt + m, n_prompt + m, dtype=torch.bool, device=prompt.device).tril()
    visible[n_prompt:, n_prompt:] = tree.attends.to(prompt.device)
    mask = torch.zeros(visible.shape, dtype=model.dtype, device=prompt.device)
    mask.masked_fill_(~visible, torch.finfo(model.dtype).min)
    values |= {
        "input_ids": torch.cat([values["input_ids"], tokens], dim=1),
        "attention_mask": mask[None, None].expand(n, 1, -1, -1),
        "position_ids": torch.cat([values["position_ids"], after.expand(3, -1, -1)], dim=2),
        "mm_token_type_ids": torch.nn.functional.pad(values["mm_token_type_ids"], (0, m)),
    }
    logits = model(**values, logits_to_keep=m + 1, use_cache=False).logits
    return tree.sums(logits[:, 0], logits[:, 1:])
