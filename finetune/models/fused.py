"""Fused: steps of a model in fewer passes over memory than in transformers, where layers aren't compiled.

Beside its matrix products, a layer of a large batch waits for memory, so what counts is how often its
values are read and written: `python benchmarks/gpu.py --traffic` counts it without a card.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from psgimg.finetune.models import families
from torch import nn
from torch.nn import functional

ROTARY, ROTARY_OF_TEXT = "apply_rotary_pos_emb_vision", "apply_rotary_pos_emb"
"""Functions of the modules of transformers that turn queries and keys by their positions."""

HALF = (torch.bfloat16, torch.float16)

Rotate = Callable[..., tuple[torch.Tensor, torch.Tensor]]
Forward = Callable[[torch.Tensor], Any]


def patches(model: Any) -> int:
    """Embed patches by a matrix product instead of a convolution; return the number of such layers.

    A convolution whose kernel covers its whole input is a matrix product, but cuDNN takes ten times as
    long for it. On a CPU nothing changes.
    """
    if not _is_on_card(model):
        return 0
    layers = [m for m in families.vision_tower(model).modules() if type(m) is nn.Conv3d]
    for layer in layers:
        layer.forward = partial(_embed, layer)
    return len(layers)


def elementwise(model: Any) -> int:
    """Compute norms, positions and activations in fewer passes over memory; return how many norms.

    Only those are changed whose formula is the expected one, which is tried on a few numbers. Results
    differ from those of transformers by the rounding of half precision. For a model that only answers:
    automatic mixed precision would compute these norms in full precision. On a CPU nothing changes.
    """
    if not _is_on_card(model):
        return 0
    tower, text = families.vision_tower(model), families.language_model(model)
    _replace(tower, ROTARY, axis=-2)
    _replace(text, ROTARY_OF_TEXT, axis=1)
    for module in tower.modules():
        _add_activation_to_product(module)
    norms = [m for m in text.modules() if _is_plain_norm(m)]
    for norm in norms:
        norm.forward = partial(_normalise, norm, norm.forward)
    return len(norms)


def _is_on_card(model: Any) -> bool:
    return bool(model.device.type == "cuda")


def _agree(own: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Return whether two results are equal but for the rounding of half precision."""
    own, theirs = own.float(), theirs.float()
    return bool((own - theirs).abs().max() <= 0.01 * theirs.abs().max())


def _embed(layer: nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    """Return a convolution of patches (n, channels, frames, height, width)."""
    is_whole = tuple(x.shape[2:]) == layer.kernel_size and layer.padding == (0, 0, 0)
    if not is_whole or layer.groups != 1:
        return layer._conv_forward(x, layer.weight, layer.bias)
    return functional.linear(x.flatten(1), layer.weight.flatten(1), layer.bias)[
        ..., None, None, None
    ]


def _is_plain_norm(module: Any) -> bool:
    """Return whether a module is a root-mean-square norm with a weight, computed as usual."""
    if not type(module).__name__.endswith("RMSNorm") or not hasattr(module, "variance_epsilon"):
        return False
    size = module.weight.shape
    x = torch.linspace(-2, 3, size.numel(), dtype=module.weight.dtype, device=module.weight.device)
    with torch.no_grad():
        found = functional.rms_norm(x, size, module.weight, module.variance_epsilon)
        return _agree(found, module(x))


def _normalise(norm: Any, usual: Forward, x: torch.Tensor) -> Any:
    if torch.compiler.is_compiling() or x.dtype != norm.weight.dtype:
        return usual(x)
    return functional.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _replace(part: Any, name: str, axis: int) -> None:
    """Let the module of a part of a model turn queries and keys by :func:`_rotate`.

    Parameters
    ----------
    name
        Name of the function that does it.
    axis
        Axis of the heads.
    """
    module: Any = sys.modules[type(part).__module__]
    usual: Rotate | None = getattr(module, name, None)
    if usual is None or isinstance(usual, partial):
        return
    heads, size, n = 3, 8, 2
    shape = (n, heads, size) if axis == -2 else (1, heads, n, size)
    q = torch.linspace(-1, 1, n * heads * size).view(shape)
    angles = torch.linspace(0, 3, n * size).view(*shape[:-3], n, size)
    given = q, q.flip(-1), angles.cos(), angles.sin()
    found = zip(_rotate(usual, axis, *given), usual(*given), strict=True)
    if all(torch.allclose(own, theirs, atol=1e-5) for own, theirs in found):
        setattr(module, name, partial(_rotate, usual, axis))


def _rotate(
    usual: Rotate,
    axis: int,
    q: torch.Tensor,
    k: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    *others: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return queries and keys turned by angles, which have the same axes but that of the heads.

    Done as usual where only a part of each head is turned, where gradients are needed, and where the
    result would have another precision.
    """
    as_usual = torch.compiler.is_compiling() or _needs_gradients(q, k) or bool(others)
    if axis == 1:  # transformers turns those of text in the precision of the angles
        as_usual = as_usual or q.dtype != cos.dtype or k.dtype != cos.dtype
    if as_usual or cos.shape[-1] != q.shape[-1]:
        return usual(q, k, cos, sin, *others)
    cos, sin = cos.unsqueeze(axis), sin.unsqueeze(axis)
    return _rotated(q, cos, sin), _rotated(k, cos, sin)


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Return vectors turned by angles: each kernel computes in the higher precision of its inputs."""
    half = x.shape[-1] // 2
    turned = torch.mul(x, cos, out=torch.empty_like(x))
    turned[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    turned[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return turned


def _needs_gradients(*values: torch.Tensor) -> bool:
    return torch.is_grad_enabled() and any(value.requires_grad for value in values)


def _add_activation_to_product(module: Any) -> None:
    """Let two linear layers with a GELU between them apply it within the first product."""
    linear = [layer for layer in module.children() if type(layer) is nn.Linear]
    others = [layer for layer in module.children() if type(layer) is not nn.Linear]
    if len(linear) != 2 or len(others) != 1 or any(layer.bias is None for layer in linear):
        return
    first, second = linear
    if first.weight.dtype not in HALF or not _is_gelu(others[0]):
        return
    forward = partial(_perceive, module.forward, first, second)
    x = torch.linspace(-3, 3, 4 * first.in_features, device=first.weight.device)
    x = x.to(first.weight.dtype).view(4, -1)
    try:
        with torch.no_grad():
            is_equal = _agree(forward(x), module(x))
    except (AttributeError, RuntimeError):  # another order, or a version of torch without it
        return
    if is_equal:
        module.forward = forward


def _is_gelu(activation: Callable[[torch.Tensor], torch.Tensor]) -> bool:
    """Return whether an activation is the GELU by a hyperbolic tangent, which products have."""
    x = torch.linspace(-4, 4, 65)
    try:
        found = activation(x)
    except (TypeError, RuntimeError):
        return False
    return bool(torch.allclose(found, functional.gelu(x, approximate="tanh"), atol=1e-5))


def _perceive(usual: Forward, first: nn.Linear, second: nn.Linear, x: torch.Tensor) -> Any:
    """Return the output of two linear layers with a GELU between them."""
    is_other = x.dtype != first.weight.dtype or _needs_gradients(x, first.weight)
    if torch.compiler.is_compiling() or is_other:
        return usual(x)
    hidden = torch._addmm_activation(first.bias, x.flatten(0, -2), first.weight.t(), use_gelu=True)
    return functional.linear(hidden, second.weight, second.bias).view(*x.shape[:-1], -1)
