"""Page positions: what Qwen's models derive from the size of pages, computed beside the card.

On the card they are derived page by page, which waits for the card each time and splits the graph of
a compiled model.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import torch
from psgimg.finetune.models import families

try:
    from transformers import vision_utils
    from transformers.utils.generic import accepts_precomputed_kwargs
except ImportError:  # older versions of transformers
    vision_utils = accepts_precomputed_kwargs = None

NEEDED = (
    "get_vision_cu_seqlens",
    "get_vision_position_ids",
    "get_vision_interpolation_indices_and_weights",
    "get_vision_window_index",
)
"""Functions of ``transformers.vision_utils``, some of which older versions lack."""

DERIVED = "image_"
"""Beginning of the names under which a model takes what its vision tower would derive."""

OF_PATCHES = (
    "position_ids",
    "cu_seqlens",
    "max_seqlen",
    "interp_indices",
    "interp_weights",
    "window_index",
    "cu_window_seqlens",
    "max_window_seqlen",
)
ADDED = ("position_ids", *(f"{DERIVED}{name}" for name in OF_PATCHES))
"""Keys that are added to a batch."""


@dataclass(frozen=True)
class PagePositions:
    """Adds to a batch on the CPU what the model would derive from ``image_grid_thw``.

    Instances hold no weights, and can be sent to the processes of a data loader.

    Parameters
    ----------
    kind
        Class of the model inside the one with the head, which computes the positions of tokens.
    config
        That of the model.
    dtype
        Precision to which the vision tower converts pixels: half of it takes half the time to copy.
    """

    kind: Any
    config: Any
    dtype: torch.dtype

    @classmethod
    def of(cls, model: Any) -> PagePositions | None:
        """Return what computes them for a model; None where the model has to do it by itself."""
        inner = families.bare(model).base_model
        known = all(hasattr(vision_utils, name) for name in NEEDED)
        if accepts_precomputed_kwargs is None or not known or not families.packs_pages(model):
            return None
        tower: Any = families.vision_tower(model)
        return cls(type(inner), inner.config, tower.dtype)

    def add(self, batch: MutableMapping[str, Any]) -> torch.Tensor:
        """Add positions to a batch, and return the offset (rows, 1) of those of tokens after it.

        They are computed on the CPU and added on the device of the batch, as ``position_ids`` and
        under names that begin with ``image_``; existing ones are replaced.
        """
        device = batch["input_ids"].device
        grid = batch["image_grid_thw"].cpu()
        positions, offsets = self.kind.get_rope_index(
            self._shell(),
            batch["input_ids"].cpu(),
            mm_token_type_ids=batch["mm_token_type_ids"].cpu(),
            image_grid_thw=grid,
            attention_mask=batch["attention_mask"].cpu(),
        )
        for name, value in {"position_ids": positions, **self._of_patches(grid)}.items():
            batch[name] = value.to(device) if isinstance(value, torch.Tensor) else value
        batch["pixel_values"] = batch["pixel_values"].to(self.dtype)
        return torch.as_tensor(offsets.to(device))

    @staticmethod
    def without(batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a batch without what :meth:`add` has added."""
        return {name: value for name, value in batch.items() if name not in ADDED}

    def _shell(self) -> Any:
        """Return a model without layers, which is all that the computation of positions needs."""
        shell = object.__new__(self.kind)
        object.__setattr__(shell, "config", self.config)
        return shell

    def _of_patches(self, grid: torch.Tensor) -> dict[str, Any]:
        """Return what the vision tower would derive from the grids of the pages."""
        vision, merge = self.config.vision_config, self.config.vision_config.spatial_merge_size
        bounds = vision_utils.get_vision_cu_seqlens(grid)
        found = {
            "position_ids": vision_utils.get_vision_position_ids(grid, merge),
            "cu_seqlens": bounds,
            "max_seqlen": int(bounds.diff().max()),
        }
        if hasattr(vision, "num_position_embeddings"):
            indices, weights = vision_utils.get_vision_interpolation_indices_and_weights(
                grid,
                num_grid_per_side=int(vision.num_position_embeddings**0.5),
                mode="bilinear",
                align_corners=True,
                spatial_merge_size=merge,
            )
            found |= {"interp_indices": indices, "interp_weights": weights}
        if hasattr(vision, "window_size"):
            order, windows = vision_utils.get_vision_window_index(
                grid, merge, vision.window_size, vision.patch_size
            )
            found |= {"window_index": order, "cu_window_seqlens": windows}
            found["max_window_seqlen"] = int(windows.diff().max())
        return {f"{DERIVED}{name}": value for name, value in found.items()}
