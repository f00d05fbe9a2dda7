"""Cost: memory and operations of a training, estimated from the shape of a model and of its rows.

The memory of activations is fitted to the peaks measured on an H100 with Qwen3-VL of the 2B model's
shape (``docs/gpu.json``), from which the estimates differ by at most ``MEASURED_WITHIN``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psgimg.finetune.models import families
from torch import nn

MEASURED_WITHIN = 0.08
"""How far the estimates are from the measured peaks, at most."""

KEPT, KEPT_COMPILED, KEPT_WHOLE = 3.7, 3.0, 2.2
"""Bytes that the backward pass keeps for each number that goes into a linear layer of the language
model, or comes out of it: with an adapter and its dropout, the same compiled, and without adapter."""

HALF, FULL, FOUR_BIT = 2.0, 4.0, 0.53
"""Bytes of a weight; in 4 bit, with its share of the scales."""

GRADIENT, OPTIMIZER = 4.0, 8.0
"""Bytes of gradient and of AdamW's state for each weight that learns."""


@dataclass(frozen=True)
class Cost:
    """What the memory and the time of a training follow from.

    Parameters
    ----------
    n_parameters, n_linear
        All weights, and those that are stored in 4 bit if asked for.
    n_learned
        Weights that learn; beside the others with an adapter, else some of them.
    n_tokens, width, depth
        Tokens of a row, width and layers of the language model.
    widths
        Sum of inputs and outputs of the linear layers of the language model.
    vision_bytes
        Memory in which the vision tower processes the pages of a row.
    vision_flops, text_flops
        Operations of a forward pass of a row in the two parts.
    """

    n_parameters: int
    n_linear: int
    n_learned: int
    is_adapter: bool
    n_tokens: int
    width: int
    depth: int
    widths: int
    vision_bytes: float
    vision_flops: float
    text_flops: float

    @classmethod
    def of(cls, model: Any, batch: Mapping[str, Any], *, targets: str | None, rank: int) -> Cost:
        """Return the cost of a model without weights, on the meta device, or with them.

        Parameters
        ----------
        batch
            Collated rows of equal size.
        targets
            Regular expression of the layers with LoRA; None if the weights themselves learn.
        """
        model = families.bare(model)
        text, vision = families.language_model(model), families.vision_tower(model)
        config: Any = text.config
        n_rows, n_tokens = batch["input_ids"].shape
        n_patches, n_attended = _patches(vision, batch["pixel_values"], n_rows)
        adapted = 0
        if targets is not None:
            adapted = sum(
                rank * (layer.in_features + layer.out_features)
                for name, layer in _linear(model)
                if re.fullmatch(targets, name)
            )
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        return cls(
            n_parameters=sum(p.numel() for p in model.parameters()),
            n_linear=_weights(text) + _weights(vision),
            n_learned=trainable if targets is None else adapted,
            is_adapter=targets is not None,
            n_tokens=int(n_tokens),
            width=config.hidden_size,
            depth=_depth(text),
            widths=_widths(text),
            vision_bytes=HALF * n_patches * _widths(vision) / _depth(vision),
            vision_flops=_flops(vision, n_patches, n_attended),
            text_flops=_flops(text, n_tokens, n_tokens / 2),  # attention to earlier tokens
        )

    def gb(
        self,
        n_rows: int,
        *,
        checkpointing: bool,
        four_bit: bool = False,
        compiled: bool = False,
    ) -> float:
        """Return the peak of memory, in GB, with some rows at once on a card."""
        learned = self.n_learned * (GRADIENT + OPTIMIZER)
        if not self.is_adapter:
            fixed = self.n_parameters * (FULL + HALF) + learned
        elif four_bit:
            rest = self.n_parameters - self.n_linear
            fixed = FOUR_BIT * self.n_linear + HALF * rest + FULL * self.n_learned + learned
        else:
            fixed = HALF * self.n_parameters + FULL * self.n_learned + learned
        kept = KEPT_COMPILED if compiled else KEPT
        row = self.n_tokens * self.widths * (kept if self.is_adapter else KEPT_WHOLE)
        if checkpointing:
            inputs = HALF * self.n_tokens * self.width * self.depth
            row = inputs + row / self.depth + self.vision_bytes
        return (fixed + n_rows * row) / 1e9

    def flops(self, *, checkpointing: bool) -> float:
        """Return the operations of a training step for a row, with a frozen vision tower.

        The backward pass goes through the language model alone; the frozen weights of one with an
        adapter need no gradients of their own.
        """
        passes = (2 if self.is_adapter else 3) + checkpointing
        return self.vision_flops + self.text_flops * passes


def _linear(part: nn.Module) -> list[tuple[str, nn.Linear]]:
    return [(name, one) for name, one in part.named_modules() if isinstance(one, nn.Linear)]


def _weights(part: nn.Module) -> int:
    return sum(layer.in_features * layer.out_features for _, layer in _linear(part))


def _widths(part: nn.Module) -> int:
    return sum(layer.in_features + layer.out_features for _, layer in _linear(part))


def _depth(part: Any) -> int:
    config = part.config
    return int(getattr(config, "num_hidden_layers", None) or config.depth)


def _patches(tower: Any, pixels: Any, n_rows: int) -> tuple[int, int]:
    """Return the patches of a row, and those to which each attends: of its page, or of a tile."""
    if pixels.ndim == 2:
        return pixels.shape[0] // n_rows, pixels.shape[0] // n_rows
    patch = tower.config.patch_size
    down, across = patch if isinstance(patch, list | tuple) else (patch, patch)
    n = (pixels.shape[-2] // down) * (pixels.shape[-1] // across)
    return n * (pixels.shape[:-3].numel() // n_rows), n


def _flops(part: Any, n: int, n_attended: float) -> float:
    """Return the operations of a transformer on ``n`` tokens, each attending to some others.

    Two per weight and token, plus those of attention; embeddings and normalisation are left out.
    """
    config = part.config
    heads = getattr(config, "num_attention_heads", None) or config.num_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    attention = 4.0 * n * n_attended * float(heads * head) * _depth(part)
    return 2.0 * n * _weights(part) + attention
