"""One pass: the prefix tree of the answers in the same forward pass as the prompt, without a cache.

The number of tokens is the same for every batch of equal pages, so that compiled layers are compiled
once, and is a multiple of ``ALIGNED``, as fast attention kernels need of a mask.
"""

from __future__ import annotations

from typing import Any

import torch
from psgimg.finetune.inference.encoding import OFFSETS, Encoded
from psgimg.finetune.inference.forward import Forward
from psgimg.finetune.inference.prefix_tree import Tree
from torch.nn.functional import pad

ALIGNED = 8


def sums(model: Any, forward: Forward, encoded: Encoded, tree: Tree) -> torch.Tensor:
    """Return (n, answers) log-probabilities of the answers after some prompts.

    Parameters
    ----------
    encoded
        Prompts, padded on the left.
    """
    values = _aligned(encoded, tree)
    prompt = values["attention_mask"]
    n, n_nodes, device = len(prompt), len(tree.tokens), prompt.device
    tokens = torch.tensor(tree.tokens, device=device).expand(n, -1)
    depths = torch.tensor(tree.depths, device=device)
    positions = forward.positions_through(values, depths)
    whole = {
        key: pad(value, (0, n_nodes)) if _per_token(key) else value
        for key, value in values.items()
        if key != OFFSETS
    }
    whole["input_ids"] = torch.cat([values["input_ids"], tokens], dim=1)
    whole["attention_mask"] = tree.mask_with_prompt(prompt, model.dtype)
    whole |= positions
    logits = model(**whole, **forward.keep(n_nodes + 1), use_cache=False).logits
    logits = logits[:, -n_nodes - 1 :]
    return tree.sums(logits[:, 0], logits[:, 1:])


def _aligned(encoded: Encoded, tree: Tree) -> Encoded:
    """Pad prompts further on the left, so that the tree ends at a multiple of ``ALIGNED``."""
    n_tokens = encoded["input_ids"].shape[1] + len(tree.tokens)
    more = (-n_tokens % ALIGNED, 0)
    # The mask hides the padding; its token must only not be that of a picture.
    return {
        key: pad(value, more, value=tree.tokens[0] if key == "input_ids" else 0)
        if key in ("input_ids", "position_ids") or _per_token(key)
        else value
        for key, value in encoded.items()
    }


def _per_token(key: str) -> bool:
    return key == "attention_mask" or key.endswith("token_type_ids")
