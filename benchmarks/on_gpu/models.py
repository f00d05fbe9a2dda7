"""Vision-language models of published shapes with random weights, and their processors.

Nothing is downloaded: a model is made from its configuration on the device where it will run. Only
the vocabulary is replaced, by bytes; the embedding keeps its published size.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import tiny_models

VOCABULARY = 151936


@dataclass(frozen=True)
class Shape:
    """The size of a Qwen3-VL: width, feed-forward width, layers and heads of text and vision."""

    text: tuple[int, int, int, int]
    vision: tuple[int, int, int, int]
    deepstack: tuple[int, ...]
    tied: bool = True
    vocabulary: int = VOCABULARY


QWEN3_VL = {
    "qwen3-vl-2b": Shape((2048, 6144, 28, 16), (1024, 4096, 24, 16), (5, 11, 17)),
    "qwen3-vl-4b": Shape((2560, 9728, 36, 32), (1024, 4096, 24, 16), (5, 11, 17)),
    "qwen3-vl-8b": Shape((4096, 12288, 36, 32), (1152, 4304, 27, 16), (8, 16, 24), tied=False),
    "qwen3-vl-tiny": Shape((64, 128, 2, 4), (64, 128, 2, 4), (0,), vocabulary=1024),
}


def make(name: str, texts: Sequence[str], device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """Return a model with random weights on the device, and its processor."""
    tokenizer, config, processor = _qwen3_vl(QWEN3_VL[name], texts)
    return _random(config, device, dtype, tokenizer), processor


def _random(config: Any, device: str, dtype: torch.dtype, tokenizer: Any) -> Any:
    from transformers import AutoModelForImageTextToText

    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = AutoModelForImageTextToText.from_config(config)
    finally:
        torch.set_default_dtype(before)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _qwen3_vl(shape: Shape, texts: Sequence[str]) -> tuple[Any, Any, Any]:
    from transformers import Qwen3VLConfig

    tokenizer = tiny_models.qwen_tokenizer(texts)
    width, hidden, depth, heads = shape.text
    v_width, v_hidden, v_depth, v_heads = shape.vision
    head = 128 if width >= 1024 else width // heads
    side = 5 * head // 32
    config = Qwen3VLConfig(
        **tiny_models.qwen_ids(tokenizer),
        tie_word_embeddings=shape.tied,
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": width,
            "intermediate_size": hidden,
            "num_hidden_layers": depth,
            "num_attention_heads": heads,
            "num_key_value_heads": min(8, heads // 2),
            "head_dim": head,
            "max_position_embeddings": 262144,
            "tie_word_embeddings": shape.tied,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": [head // 2 - 2 * side, side, side],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "hidden_size": v_width,
            "intermediate_size": v_hidden,
            "depth": v_depth,
            "num_heads": v_heads,
            "out_hidden_size": width,
            "deepstack_visual_indexes": list(shape.deepstack),
        },
    )
    return tokenizer, config, _processor(tokenizer)


def _processor(tokenizer: Any) -> Any:
    """Return the family's own processor; without torchvision, that of the tests, without videos."""
    from importlib.util import find_spec

    from transformers import Qwen3VLProcessor

    template = tiny_models.template("qwen3_vl")
    if find_spec("torchvision") is None:
        return tiny_models.qwen3_vl_processor(tokenizer, template)
    from transformers import Qwen2VLImageProcessor, Qwen3VLVideoProcessor

    size = {"shortest_edge": 65536, "longest_edge": 16777216}
    images = Qwen2VLImageProcessor(
        patch_size=16, merge_size=2, size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(), chat_template=template)


def flops_per_page(model: Any, n_tokens: int, n_patches: int) -> dict[str, float]:
    """Return the floating-point operations of a page's forward pass, in the two parts of the model.

    Two per weight and token, plus those of attention; embeddings and normalisation are left out.
    """
    text, vision = model.config.text_config, model.config.vision_config

    def linear(module: Any) -> int:
        return sum(m.weight.numel() for m in module.modules() if isinstance(m, torch.nn.Linear))

    def attention(n: int, width: int, depth: int) -> float:
        return 4.0 * n * n * width * depth

    tower, language = model.model.visual, model.model.language_model
    return {
        "vision": 2.0 * n_patches * linear(tower.blocks)
        + attention(n_patches, vision.hidden_size, vision.depth),
        "text": 2.0 * n_tokens * linear(language)
        + attention(n_tokens, text.num_attention_heads * text.head_dim, text.num_hidden_layers) / 2,
    }
