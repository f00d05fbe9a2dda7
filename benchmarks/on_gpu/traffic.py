"""Traffic: kernels of a scored batch, and what they read and write, counted without a card.

The model has its published shape but no weights (device ``meta``), so that nothing is computed and a
few seconds are enough. What a kernel reads and writes is the size of its inputs and outputs; caches are
not considered. Of attention and norms, a kernel each is counted, as on a card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.inference import encoding, one_pass
from psgimg.finetune.inference.forward import Forward
from psgimg.finetune.inference.prefix_tree import Tree
from psgimg.finetune.models import families, fused, vision_attention
from psgimg.finetune.models.page_positions import PagePositions
from torch.nn import functional
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from on_gpu import models
from on_gpu.measurement import PROMPT, TEXTS

FAMILY = "qwen3_vl"
"""Others choose tokens and tiles by values, which a model without weights does not have."""

SIZE = (896, 448)
PAGES = 64
"""Of a batch."""

PRODUCTS = ("mm", "addmm", "bmm", "_addmm_activation", "attention")
"""Kernels that compute; all others wait for memory."""

NOTHING = ("empty", "empty_like", "empty_permuted", "empty_strided", "_unsafe_view")
UNKNOWN = ("_local_scalar_dense", "is_nonzero", "equal")
"""What asks the card for a value."""


class Counted(TorchDispatchMode):
    """Counts kernels and bytes by name, and how often the card is asked for a value."""

    def __init__(self, n_patches: int) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.n_bytes: Counter[str] = Counter()
        self.asked = 0
        self._n_visual = n_patches

    def add(self, name: str, values: Sequence[torch.Tensor]) -> None:
        """Count a kernel and the bytes of what it reads and writes."""
        self.kernels[name] += 1
        self.n_bytes[name] += sum(map(_bytes, values))

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function._schema.name.removeprefix("aten::")
        tensors = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        if not any(x.is_meta for x in tensors):
            return function(*args, **kwargs or {})
        if name in UNKNOWN:
            self.asked += 1
            return True
        if name.startswith("index") and args[1][0].dtype == torch.bool:
            self.asked += 1  # for the number of tokens that are of a picture
            found = args[0].new_empty(self._n_visual, args[0].shape[-1])
            self.add(name, [found, found])
            return args[0] if name == "index_put_" else found
        found = function(*args, **kwargs or {})
        aliases = [value.alias_info for value in function._schema.returns]
        if name not in NOTHING and not all(alias and not alias.is_write for alias in aliases):
            made = [x for x in pytree.tree_leaves(found) if isinstance(x, torch.Tensor)]
            self.add(name, [*tensors, *made])
        return found


def count(name: str, levers: Callable[[Any], object]) -> Counted:
    """Return what scoring a batch of pages takes, after some levers were applied to the model."""
    shape = models.SHAPES[name]
    _, config, processor = models.FAMILIES[shape.family](shape, TEXTS)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            model = models.transformers.AutoModelForImageTextToText.from_config(config).eval()
    finally:
        torch.set_default_dtype(torch.float32)
    row = chat_row([Image.fromarray(np.full((*SIZE[::-1], 3), 255, np.uint8))], None, PROMPT)
    encoded = _repeated(encoding.Encoder(processor, torch.bfloat16)([row]))
    positions = PagePositions.of(model)
    assert positions is not None
    encoded[encoding.OFFSETS] = positions.add(encoded)
    tree = Tree.of(encoding.candidates(processor, row, PROMPT.answers))
    counted = Counted(families.n_image_tokens(model, processor, encoded["input_ids"]))
    values = {
        key: value.to("meta") if isinstance(value, torch.Tensor) and "grid" not in key else value
        for key, value in encoded.items()
    }
    with _as_on_a_card():
        levers(model)
    with _one_kernel_each(counted), torch.no_grad(), counted:
        one_pass.sums(model, Forward(model), values, tree)
    return counted


def _repeated(encoded: encoding.Encoded) -> encoding.Encoded:
    """Return a batch of one page many times, without its pixels."""
    pixels = encoded.pop("pixel_values").to("meta")
    batch = {key: value.repeat(PAGES, 1) for key, value in encoded.items()}
    return {**batch, "pixel_values": pixels.repeat(PAGES, 1)}


def fewer_passes(model: Any) -> None:
    """Apply the levers of a short prediction."""
    vision_attention.in_one_call(model)
    fused.patches(model)
    fused.elementwise(model)


def as_in_transformers(model: Any) -> None:
    """Let only the pages of a batch attend in one call, which is not what is counted."""
    vision_attention.in_one_call(model)


def table() -> str:
    """Return a Markdown table of the shapes of Qwen3-VL, as they are and with the levers."""
    lines = [
        f"| scoring {PAGES} pages | kernels | GB beside products | values asked for |",
        "|:--|--:|--:|--:|",
    ]
    for name in (name for name, shape in models.SHAPES.items() if shape.family == FAMILY):
        for how, levers in (("transformers", as_in_transformers), ("psgimg", fewer_passes)):
            one = count(name, levers)
            beside = sum(n for key, n in one.n_bytes.items() if key not in PRODUCTS) / 1e9
            n = one.kernels.total()
            lines.append(f"| {name}, {how} | {n:,} | {beside:,.0f} | {one.asked} |")
    return "\n".join(lines) + "\n"


@contextmanager
def _as_on_a_card() -> Iterator[None]:
    """Let levers pass a model without weights for one on a card, whose formulas are known."""
    with (
        patch.object(fused, "_is_on_card", lambda _: True),
        patch.object(fused, "_agree", lambda *_: True),
        patch.object(vision_attention, "_card_has_it", lambda _: True),
    ):
        yield


@contextmanager
def _one_kernel_each(counted: Counted) -> Iterator[None]:
    """Count attention and norms as the kernels of a card."""

    def attention(q: Any, k: Any, v: Any, attn_mask: Any = None, **_: Any) -> torch.Tensor:
        found = q.new_empty(q.shape[0], q.shape[2], q.shape[1], v.shape[-1]).transpose(1, 2)
        mask = [] if attn_mask is None else [attn_mask]
        counted.add("attention", [q, k, v, *mask, found])
        return found

    def norm(x: Any, *_: Any) -> torch.Tensor:
        counted.add("rms_norm", [x, x])
        return torch.empty_like(x)

    with (
        patch.object(functional, "scaled_dot_product_attention", attention),
        patch.object(functional, "rms_norm", norm),
    ):
        yield


def _bytes(value: torch.Tensor) -> int:
    """Return the bytes of a tensor in memory: what is repeated without a copy counts once."""
    sizes = zip(value.shape, value.stride(), strict=True)
    return value.element_size() * int(np.prod([n for n, stride in sizes if stride]))
