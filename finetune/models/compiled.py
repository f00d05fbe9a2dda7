"""Compiled: the layers of a model compiled one by one, where a run is long enough to gain by it."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import AbstractContextManager
from typing import Any

import torch
from psgimg.finetune.models import families
from torch import nn
from torch._dynamo.exc import TorchDynamoException
from transformers.modeling_layers import GradientCheckpointingLayer

COMPILED_FROM = 5_000
"""Pages of a run from which compiling pays: it takes up to 80 s in a new environment, and saves 10 ms
a page of a training (42 and 76 pages per second on an H200, ``docs/gpu.json``)."""

RECOMPILATIONS = 64
"""Variants of a layer that are compiled before torch falls back to running it as it is: with and
without gradients, for the last batch of a pass, for each size of pages."""

FAILURES = (TorchDynamoException,)
"""What torch raises where a layer can't be compiled, for example without a C compiler."""


def pays(model: Any, n_pages: int) -> bool:
    """Return whether compiling gains time in a run over ``n_pages``: on a card, with constant shapes."""
    on_card = model.device.type == "cuda"
    return on_card and n_pages >= COMPILED_FROM and families.has_constant_shapes(model)


def compile_layers(model: Any, backend: str = "inductor") -> int:
    """Compile each layer of the two parts of a model by itself, and return their number.

    Equal layers share their code, so this takes seconds where a whole model takes minutes. Weights
    keep their names. Compilation happens when a layer runs first, and may fail then.
    """
    # What the compiler tells its developers is of no use to others, who can set TORCH_LOGS
    warnings.filterwarnings("ignore", module=r"torch\._(dynamo|inductor)")
    if "TORCH_LOGS" not in os.environ:
        for name in ("torch._dynamo", "torch._inductor"):
            logging.getLogger(name).setLevel(logging.ERROR)
    config: Any = torch._dynamo.config
    config.cache_size_limit = max(config.cache_size_limit, RECOMPILATIONS)
    layers = _layers(model)
    for layer in layers:
        layer.compile(backend=backend)
    return len(layers)


def undo(model: Any) -> None:
    """Run all layers as they are again."""
    for layer in _layers(model):
        layer._compiled_call_impl = None
    torch._dynamo.reset()


def as_they_are() -> AbstractContextManager[None]:
    """Run compiled layers as they are within a block, whose shapes are not worth compiling for."""
    stance: AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
    return stance


def _layers(model: Any) -> list[nn.Module]:
    parts = families.vision_tower(model), families.language_model(model)
    return [
        layer
        for part in parts
        for layer in part.modules()
        if isinstance(layer, GradientCheckpointingLayer)
    ]
