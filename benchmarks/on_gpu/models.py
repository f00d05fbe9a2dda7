"""Vision-language models of published shapes with random weights, and their processors.

Nothing is downloaded: a model is made from its configuration on the device where it will run. Only
the vocabulary is replaced, by bytes; the embedding keeps its published size. Processors are of the
families' own classes; where torchvision is missing, those that work without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from psgimg.finetune.models import families

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import tiny_models

QWEN_LEAST_PIXELS = 65536
HAS_TORCHVISION = find_spec("torchvision") is not None


@dataclass(frozen=True)
class Shape:
    """The size of a model.

    Parameters
    ----------
    family
        A key of ``FAMILIES``.
    text
        Width, feed-forward width, layers, heads, heads of keys and values.
    vision
        Width, feed-forward width, layers, heads.
    deepstack
        Layers of the vision tower that are shown to the language model (Qwen3-VL).
    tied
        Whether the head shares its weights with the embedding.
    """

    family: str
    text: tuple[int, int, int, int, int]
    vision: tuple[int, int, int, int]
    vocabulary: int
    deepstack: tuple[int, ...] = ()
    tied: bool = True


SHAPES = {
    "qwen3-vl-2b": Shape(
        "qwen3_vl", (2048, 6144, 28, 16, 8), (1024, 4096, 24, 16), 151936, (5, 11, 17)
    ),
    "qwen3-vl-4b": Shape(
        "qwen3_vl", (2560, 9728, 36, 32, 8), (1024, 4096, 24, 16), 151936, (5, 11, 17)
    ),
    "qwen3-vl-8b": Shape(
        "qwen3_vl", (4096, 12288, 36, 32, 8), (1152, 4304, 27, 16), 151936, (8, 16, 24), tied=False
    ),
    "smolvlm2-2b": Shape(
        "smolvlm", (2048, 8192, 24, 32, 32), (1152, 4304, 27, 16), 49280, tied=False
    ),
    "llava-next-7b": Shape(
        "llava_next", (4096, 14336, 32, 32, 8), (1024, 4096, 24, 16), 32064, tied=False
    ),
}


def make(
    name: str, texts: Sequence[str], device: str, dtype: torch.dtype, *, tiny: bool = False
) -> tuple[Any, Any]:
    """Return a model with random weights on the device, and its processor.

    Parameters
    ----------
    tiny
        A model of the same family with two layers.
    """
    shape = SHAPES[name]
    if tiny:
        shape = replace(
            shape,
            text=(64, 128, 2, 4, 2),
            vision=(64, 128, 2, 4),
            vocabulary=1024,
            deepstack=(0,) if shape.deepstack else (),
        )
    tokenizer, config, processor = FAMILIES[shape.family](shape, texts)
    if tiny and shape.family == "qwen3_vl":
        families.cap_pixels(processor, QWEN_LEAST_PIXELS)
    return _random(config, device, dtype, tokenizer), processor


def _random(config: Any, device: str, dtype: torch.dtype, tokenizer: Any) -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = transformers.AutoModelForImageTextToText.from_config(config)
    finally:
        torch.set_default_dtype(before)
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _text(shape: Shape, tokenizer: Any) -> dict[str, Any]:
    """Return the configuration of a language model."""
    width, hidden, depth, heads, kv_heads = shape.text
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _vision(shape: Shape) -> dict[str, Any]:
    """Return the configuration of a vision tower of the CLIP or SigLIP kind."""
    width, hidden, depth, heads = shape.vision
    return {
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "patch_size": 14,
    }


def _qwen3_vl(shape: Shape, texts: Sequence[str]) -> tuple[Any, Any, Any]:
    tokenizer = tiny_models.qwen_tokenizer(texts)
    width, _, _, heads, _ = shape.text
    v_width, v_hidden, v_depth, v_heads = shape.vision
    head = 128 if width >= 1024 else width // heads
    side = 5 * head // 32
    text = {
        **_text(shape, tokenizer),
        "head_dim": head,
        "max_position_embeddings": 262144,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": [head // 2 - 2 * side, side, side],
            "mrope_interleaved": True,
        },
    }
    config = transformers.Qwen3VLConfig(
        **tiny_models.qwen_ids(tokenizer),
        tie_word_embeddings=shape.tied,
        text_config=text,
        vision_config={
            "hidden_size": v_width,
            "intermediate_size": v_hidden,
            "depth": v_depth,
            "num_heads": v_heads,
            "out_hidden_size": width,
            "deepstack_visual_indexes": list(shape.deepstack),
        },
    )
    template = tiny_models.template("qwen3_vl")
    size = {"shortest_edge": QWEN_LEAST_PIXELS, "longest_edge": 16777216}
    if not HAS_TORCHVISION:
        processor = tiny_models.qwen3_vl_processor(tokenizer, template)
        processor.image_processor.size = size
        return tokenizer, config, processor
    images = transformers.Qwen2VLImageProcessor(
        patch_size=16, merge_size=2, size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    videos = transformers.Qwen3VLVideoProcessor()
    processor = transformers.Qwen3VLProcessor(images, tokenizer, videos, chat_template=template)
    return tokenizer, config, processor


def _smolvlm(shape: Shape, texts: Sequence[str]) -> tuple[Any, Any, Any]:
    """Tiles of 384 px, 81 tokens each."""
    tokenizer = tiny_models.idefics_tokenizer(texts)
    config = transformers.SmolVLMConfig(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=3,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=shape.tied,
        vision_config={**_vision(shape), "image_size": 384},
        text_config={"model_type": "llama", **_text(shape, tokenizer)},
    )
    sizes = {"size": {"longest_edge": 1536}, "max_image_size": {"longest_edge": 384}}
    options = {"image_seq_len": 81, "chat_template": tiny_models.template("smolvlm")}
    if not HAS_TORCHVISION:
        images = transformers.Idefics3ImageProcessorPil(**sizes)
        return tokenizer, config, transformers.Idefics3Processor(images, tokenizer, **options)
    images = transformers.SmolVLMImageProcessor(**sizes)
    videos = transformers.SmolVLMVideoProcessor()
    processor = transformers.SmolVLMProcessor(images, tokenizer, videos, **options)
    return tokenizer, config, processor


def _llava_next(shape: Shape, texts: Sequence[str]) -> tuple[Any, Any, Any]:
    """CLIP at 336 px on up to five tiles, and a Mistral."""
    tokenizer = tiny_models.llava_tokenizer(texts)
    side = {"height": 336, "width": 336}
    pinpoints = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
    config = transformers.LlavaNextConfig(
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pinpoints,
        tie_word_embeddings=shape.tied,
        vision_config={"model_type": "clip_vision_model", **_vision(shape), "image_size": 336},
        text_config={"model_type": "mistral", **_text(shape, tokenizer), "sliding_window": None},
    )
    kind = (
        transformers.LlavaNextImageProcessor
        if HAS_TORCHVISION
        else transformers.LlavaNextImageProcessorPil
    )
    processor = transformers.LlavaNextProcessor(
        kind(image_grid_pinpoints=pinpoints, size={"shortest_edge": 336}, crop_size=side),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tiny_models.template("llava_next"),
    )
    return tokenizer, config, processor


Family = Callable[[Shape, Sequence[str]], tuple[Any, Any, Any]]

FAMILIES: dict[str, Family] = {
    "qwen3_vl": _qwen3_vl,
    "smolvlm": _smolvlm,
    "llava_next": _llava_next,
}
