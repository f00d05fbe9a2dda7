"""Vision attention: the pages of a batch attend within themselves in one call, where torch has one."""

from __future__ import annotations

from typing import Any

import torch
from psgimg.finetune.models import families
from torch.nn import functional
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # older versions of torch
    varlen_attn = None

NAME = "psgimg_flash_varlen"
"""Name of the attention function; transformers passes boundaries to those with "flash" in it."""

HALF = (torch.bfloat16, torch.float16)
CAPABILITY = (8, 0)
"""The oldest cards on which torch has this attention (Ampere)."""


def in_one_call(model: Any) -> bool:
    """Let the vision tower attend within all pages of a batch in one call, and return whether it does.

    By default transformers calls the attention of each page by itself, in each layer. Pages of one
    size are rows of a batch, others a packed sequence. The result is the same. Nothing changes on a
    CPU or an older card, in families that don't pack pages, where the user has chosen another
    attention, and without ``torch.nn.attention.varlen``.
    """
    if varlen_attn is None or not families.packs_pages(model) or not _card_has_it(model.device):
        return False
    config: Any = families.vision_tower(model).config
    if config._attn_implementation != "sdpa":
        return False
    ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)
    config._attn_implementation = NAME
    return True


def _card_has_it(device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    capability: tuple[int, int] = torch.cuda.get_device_capability(device)
    return capability >= CAPABILITY


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any = None,
    *,
    cu_seq_lens_q: torch.Tensor,
    max_length_q: int,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of packed pages, as transformers calls such a function.

    Parameters
    ----------
    query, key, value : (1, heads, patches, size)
    cu_seq_lens_q : (pages + 1,)
        Boundaries of the pages.
    max_length_q
        Patches of the longest page.

    Returns
    -------
    (1, patches, heads, size), None
    """
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    n_pages, longest = len(cu_seq_lens_q) - 1, int(max_length_q)
    if n_pages * longest == len(q):  # all of one size, which no card needs to be asked for
        attended: Any = _side_by_side(q, k, v, n_pages)
    elif q.dtype in HALF:
        bounds = cu_seq_lens_q.int()
        packed = (x.contiguous() for x in (q, k, v))
        attended = varlen_attn(*packed, bounds, bounds, longest, longest)
    else:  # evaluated without autocast
        attended = _page_by_page(q, k, v, cu_seq_lens_q)
    return attended[None], None


def _side_by_side(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, n_pages: int) -> torch.Tensor:
    """Return the attention, (patches, heads, size), of pages of one size as of rows of a batch."""
    rows = (x.unflatten(0, (n_pages, -1)).transpose(1, 2) for x in (q, k, v))
    attended = functional.scaled_dot_product_attention(*rows)
    return attended.transpose(1, 2).flatten(0, 1)


def _page_by_page(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds: torch.Tensor
) -> torch.Tensor:
    """Return the same, (patches, heads, size), by a call for each page."""
    lengths = bounds.diff().tolist()
    pages = zip(*(x.transpose(0, 1).split(lengths, dim=1) for x in (q, k, v)), strict=True)
    attended = [functional.scaled_dot_product_attention(*page) for page in pages]
    return torch.cat(attended, dim=1).transpose(0, 1)
