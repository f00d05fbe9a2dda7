"""Vision-language models of several families with few random weights, made from their configs.

The chat templates are those of the families' models on the Hub, which the wheel of trl carries.
`python tests/support/tiny_models.py FAMILY FOLDER` writes one, in place of a download.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psgimg.finetune.models import tiny

WIDTH = 48
HEADS = 4
PAGE_PX = (224, 112)
TEXTS = ("Which sleep stage does it show? Answer with one of W, N1, N2, N3, REM.",)

IDEFICS_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<fake_token_around_image>",
    "<image>",
    "<global-img>",
    *(f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)),
)
QWEN_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def build(family: str, folder: Path, *, texts: Sequence[str] = TEXTS, seed: int = 0) -> None:
    """Write a tiny model of a family of ``FAMILIES``: weights, processor, chat template."""
    import torch

    if family == "llava":
        tiny.build(folder, PAGE_PX, texts, seed=seed)
        return
    tokenizer, config, processor, template = FAMILIES[family](texts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model_class(family)(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    processor.chat_template = template
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def open_(family: str, folder: Path) -> tuple[Any, Any]:
    """Model, ready to answer, and processor; for Qwen without its slot for videos.

    The video processors need torchvision, which a test machine lacks.
    """
    from transformers import (
        AutoImageProcessor,
        AutoModelForImageTextToText,
        AutoProcessor,
        AutoTokenizer,
        ProcessorMixin,
        models,
    )

    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    if not family.startswith("qwen"):
        return model, AutoProcessor.from_pretrained(folder)
    kinds = {
        "qwen2_5_vl": models.qwen2_5_vl,
        "qwen3_vl": models.qwen3_vl,
        "qwen3_5": models.qwen3_vl,
    }
    kind: type[ProcessorMixin] = getattr(
        kinds[family], "Qwen2_5_VLProcessor" if family == "qwen2_5_vl" else "Qwen3VLProcessor"
    )
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    parts = (AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    return model, _without_videos(kind)(*parts, chat_template=template)


def _without_videos(kind: Any) -> Any:
    """The class of a processor that asks for no video processor."""

    class Pages(kind):  # type: ignore[misc]
        def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs):
            self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            self.vision_start_token, self.vision_end_token = "<|vision_start|>", "<|vision_end|>"
            self.vision_start_token_id = tokenizer.convert_tokens_to_ids("<|vision_start|>")
            self.vision_end_token_id = tokenizer.convert_tokens_to_ids("<|vision_end|>")
            super(kind, self).__init__(image_processor, tokenizer, chat_template=chat_template)

    Pages.__name__ = kind.__name__
    return Pages


def _model_class(family: str) -> Any:
    import transformers

    return {
        "idefics3": transformers.Idefics3ForConditionalGeneration,
        "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
        "qwen3_vl": transformers.Qwen3VLForConditionalGeneration,
        "qwen3_5": transformers.Qwen3_5ForConditionalGeneration,
    }[family]


def _tokenizer(
    texts: Sequence[str], special: Sequence[str], pad: str, end: str, **named: str
) -> Any:
    """Bytes, joined where the texts repeat them; the answers are not joined, so N1 has two tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=len(special) + 320,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator([*texts, "user\n", "assistant\n", "system\n"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=pad,
        eos_token=end,
        extra_special_tokens=named,
        clean_up_tokenization_spaces=False,
    )


def template(name: str) -> str:
    import trl

    folder = Path(trl.__file__).parent / "chat_templates"
    return (folder / f"{name}.jinja").read_text(encoding="utf-8")


def _idefics3(texts: Sequence[str]) -> tuple[Any, Any, Any, str]:
    from transformers import Idefics3Config, Idefics3ImageProcessorPil, Idefics3Processor

    tokenizer = idefics_tokenizer(texts)
    size = {"longest_edge": 112}
    images = Idefics3ImageProcessorPil(size=size, max_image_size={"longest_edge": 56})
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4)
    config = Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        vision_config={**_vision(56), "patch_size": 14, "intermediate_size": 2 * WIDTH},
        text_config={"model_type": "llama", **_text(tokenizer)},
    )
    return tokenizer, config, processor, template("idefics3")


def _qwen2_5_vl(texts: Sequence[str]) -> tuple[Any, Any, Any, str]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLProcessor

    tokenizer = qwen_tokenizer(texts)
    config = Qwen2_5_VLConfig(
        **qwen_ids(tokenizer),
        text_config={**_text(tokenizer), "rope_parameters": _rope([1, 2, 3])},
        vision_config={
            "hidden_size": WIDTH,
            "out_hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": HEADS,
            "depth": 2,
            "fullatt_block_indexes": [1],
            "window_size": 56,
            "patch_size": 14,
        },
    )
    images = _qwen_images(14)
    processor = _without_videos(Qwen2_5_VLProcessor)(images, tokenizer)
    return tokenizer, config, processor, template("qwen2_5_vl")


def _qwen3_vl(texts: Sequence[str]) -> tuple[Any, Any, Any, str]:
    from transformers import Qwen3VLConfig, Qwen3VLProcessor

    tokenizer = qwen_tokenizer(texts)
    rope = {**_rope([2, 2, 2]), "mrope_interleaved": True}
    config = Qwen3VLConfig(
        **qwen_ids(tokenizer),
        text_config={**_text(tokenizer), "head_dim": WIDTH // HEADS, "rope_parameters": rope},
        vision_config={**_qwen3_vision(), "deepstack_visual_indexes": [0]},
    )
    processor = _without_videos(Qwen3VLProcessor)(_qwen_images(16), tokenizer)
    return tokenizer, config, processor, template("qwen3_vl")


def _qwen3_5(texts: Sequence[str]) -> tuple[Any, Any, Any, str]:
    from transformers import Qwen3_5Config, Qwen3VLProcessor

    tokenizer = qwen_tokenizer(texts)
    rope = {**_rope([1, 1, 1]), "mrope_interleaved": True, "partial_rotary_factor": 0.5}
    linear = {
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
    }
    config = Qwen3_5Config(
        **qwen_ids(tokenizer),
        text_config={
            **_text(tokenizer),
            **linear,
            "head_dim": WIDTH // HEADS,
            "rope_parameters": rope,
            "layer_types": ["linear_attention", "full_attention"],
        },
        vision_config=_qwen3_vision(),
    )
    processor = _without_videos(Qwen3VLProcessor)(_qwen_images(16), tokenizer)
    return tokenizer, config, processor, template("qwen3_5_nothink")


def qwen3_vl_processor(tokenizer: Any, chat_template: str | None = None) -> Any:
    """Processor of Qwen3-VL without its slot for videos."""
    from transformers import Qwen3VLProcessor

    own = _without_videos(Qwen3VLProcessor)
    return own(_qwen_images(16), tokenizer, chat_template=chat_template)


def idefics_tokenizer(texts: Sequence[str]) -> Any:
    return _tokenizer(texts, IDEFICS_TOKENS, "<|end_of_text|>", "<end_of_utterance>")


def llava_tokenizer(texts: Sequence[str]) -> Any:
    return _tokenizer(texts, ("<pad>", "<s>", "</s>", "<image>"), "<pad>", "</s>", bos_token="<s>")


def qwen_tokenizer(texts: Sequence[str]) -> Any:
    return _tokenizer(texts, QWEN_TOKENS, "<|endoftext|>", "<|im_end|>")


def qwen_ids(tokenizer: Any) -> dict[str, Any]:
    ids = tokenizer.convert_tokens_to_ids
    return {
        "image_token_id": ids("<|image_pad|>"),
        "video_token_id": ids("<|video_pad|>"),
        "vision_start_token_id": ids("<|vision_start|>"),
        "vision_end_token_id": ids("<|vision_end|>"),
    }


def _qwen_images(patch: int) -> Any:
    from transformers import Qwen2VLImageProcessorPil

    side = (2 * patch) ** 2
    return Qwen2VLImageProcessorPil(
        patch_size=patch, size={"shortest_edge": side, "longest_edge": 40 * side}
    )


def _qwen3_vision() -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "out_hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_heads": HEADS,
        "depth": 2,
        "patch_size": 16,
        "num_position_embeddings": 64,
    }


def _rope(section: list[int]) -> dict[str, Any]:
    return {"rope_type": "default", "mrope_section": section, "rope_theta": 10000.0}


def _vision(side_px: int) -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "image_size": side_px,
    }


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


FAMILIES = {
    "llava": None,
    "idefics3": _idefics3,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "qwen3_5": _qwen3_5,
}


if __name__ == "__main__":
    import sys

    build(sys.argv[1], Path(sys.argv[2]))
