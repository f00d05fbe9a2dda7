"""Forward: what a model's forward pass is given besides the encoded pages, in every family."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from psgimg.finetune.inference.encoding import OFFSETS, Encoded
from psgimg.finetune.models.families import bare


class Forward:
    """Arguments of the forward pass of one model: positions, and how many logits are computed."""

    def __init__(self, model: Any) -> None:
        self.parameters = frozenset(inspect.signature(bare(model).forward).parameters)
        """Names of the parameters, also behind an adapter."""
        self.rotary = next((m for m in model.modules() if hasattr(m, "rope_deltas")), None)
        """The module with three-dimensional rotary positions (Qwen), or None."""

    def keep(self, n_logits: int) -> dict[str, int]:
        """Return the option that computes the last logits only, to save memory."""
        return {"logits_to_keep": n_logits} if "logits_to_keep" in self.parameters else {}

    def positions(self, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return positions that skip the padding, unless the model computes its own."""
        if "position_ids" not in self.parameters or self.rotary is not None:
            return {}
        return {"position_ids": _counted(mask)}

    def positions_after(self, n_prompt: torch.Tensor, depths: torch.Tensor) -> dict[str, Any]:
        """Return positions of tokens at some depths after prompts of ``n_prompt`` (n, 1) tokens."""
        if "position_ids" not in self.parameters:
            return {}
        positions = n_prompt + depths
        if self.rotary is None:
            return {"position_ids": positions}
        # In text, time, height and width positions are equal, offset by the size of the pictures.
        positions = positions + self.rotary.rope_deltas.to(n_prompt.device)
        return {"position_ids": positions.expand(3, -1, -1)}

    def positions_through(self, encoded: Encoded, depths: torch.Tensor) -> dict[str, Any]:
        """Return the positions of prompts and, behind each, of tokens at some depths.

        If the prompts bring theirs, with the offsets of those after them, these are used.
        """
        if "position_ids" not in self.parameters:
            return {}
        mask = encoded["attention_mask"]
        after = mask.sum(-1, keepdim=True) + depths
        if self.rotary is None:
            return {"position_ids": torch.cat([_counted(mask), after], dim=-1)}
        if OFFSETS in encoded:
            before, offsets = encoded["position_ids"], encoded[OFFSETS]
        else:
            known = inspect.signature(self.rotary.get_rope_index).parameters
            before, offsets = self.rotary.get_rope_index(
                **{key: value for key, value in encoded.items() if key in known}
            )
        after = (after + offsets.to(after.device)).expand(3, -1, -1)
        return {"position_ids": torch.cat([before, after], dim=-1)}


def attends_to_all(model: Any, n_tokens: int) -> bool:
    """Return whether every layer attends to all of ``n_tokens``, so that a mask alone decides.

    Layers with a window forget what is further away, and those of linear attention mix all tokens.
    """
    text = bare(model).config.get_text_config()
    window = getattr(text, "sliding_window", None)
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    if kinds <= {"full_attention"}:
        return True
    return kinds <= {"full_attention", "sliding_attention"} and (window or 0) > n_tokens


def _counted(mask: torch.Tensor) -> torch.Tensor:
    """Return the number of each token among those that are not padding."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)
