"""Tiny model: a small vision-language model with its own processor, created without a download."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psgimg.builder import atomic_folder
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import Stage
from psgimg.finetune.models import permissions, saving

if TYPE_CHECKING:
    from transformers import LlavaConfig, LlavaProcessor, PreTrainedTokenizerFast

WIDTH = 96
"""Hidden size of the vision tower and of the language model."""
HEADS = 3
VISION_LAYERS = 4
TEXT_LAYERS = 2

PATCHES_ACROSS = 64
"""A patch spans half a second of a 30-s page: shorter than a slow wave, longer than an alpha wave."""
PATCHES_DOWN = 4
"""Patches are taller than wide: a page needs resolution in time; height only encodes amplitude."""
MAX_PATCH_PX = (56, 14)
"""Height and width: larger pages are scaled down to 896×224 px, which still resolves spindles."""

WHITE_PAGE = (0.9, 0.25)
"""Mean and standard deviation of the brightness of pages in style ``clinical``, 0 to 1."""

TURN, END, IMAGE, PAD = "<|im_start|>", "<|im_end|>", "<image>", "<|pad|>"
VOCABULARY = 512
CONTEXT = 8192

# ChatML turns with pictures before text. The generation marks delimit the assistant's answer for
# TRL, including the end of its turn.
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '" + TURN + "' + message['role'] + '\n' }}"
    "{%- if message['role'] == 'assistant' -%}{% generation %}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}{%- for part in message['content'] -%}{{ part['text'] }}{%- endfor -%}{%- endif -%}"
    "{{ '" + END + "' }}{% endgeneration %}"
    "{%- else -%}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{{ '" + IMAGE + "' if part['type'] == 'image' else part['text'] }}"
    "{%- endfor -%}{%- endif -%}{{ '" + END + "' }}"
    "{%- endif -%}{{ '\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '" + TURN + "assistant\n' }}{%- endif -%}"
)


def build(
    folder: Path,
    page_px: tuple[int, int],
    texts: Sequence[str],
    *,
    width_px: int | None = None,
    seed: int = 0,
    brightness: tuple[float, float] = WHITE_PAGE,
) -> None:
    """Write a LLaVA model of about 1 M random weights that loads like a model from the Hub.

    The same arguments give the same bytes. The folder is written completely or not at all.

    Parameters
    ----------
    folder
        Output folder; must not exist, or be empty.
    page_px
        Width and height of the pages in pixels. The model scales them to multiples of its patch
        size, at most 896×224.
    width_px
        Width of its pictures, in which neighbours stand beside a page; None means that of a page.
    texts
        Its prompts and answers, on which the tokenizer is trained. Other texts work too, but take
        more tokens.
    brightness
        Mean and standard deviation of the brightness of the pages, 0 to 1, for normalisation:
        randomly initialised weights hardly learn if the normalised background is far from 0.

    Raises
    ------
    BuildError
        If the folder is not empty or can't be written.
    """
    import torch
    from transformers import LlavaForConditionalGeneration

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BuildError(f"{folder} exists already; choose another folder or remove it")
    patch = _patch(page_px)
    grid = PATCHES_DOWN, round(PATCHES_ACROSS * (width_px or page_px[0]) / page_px[0])
    tokenizer = _tokenizer(texts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(_config(patch, grid, tokenizer))
    processor = _processor(patch, grid, tokenizer, brightness)
    with atomic_folder.whole(folder, None, tuple, "model") as part, saving.system_errors():
        model.save_pretrained(part)
        permissions.follow_folder(part)
        processor.save_pretrained(part)


def _patch(page_px: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a patch in pixels of the scaled picture."""
    width_px, height_px = page_px
    down, across = MAX_PATCH_PX
    return (
        min(down, max(1, round(height_px / PATCHES_DOWN))),
        min(across, max(1, round(width_px / PATCHES_ACROSS))),
    )


def _tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE: it encodes any text, and the given ones in few tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=1,
        special_tokens=[PAD, TURN, END, IMAGE],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    answers = [stage.name for stage in Stage]
    bpe.train_from_iterator([*texts, *answers, "user\n", "assistant\n", "system\n"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens={"image_token": IMAGE},
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _config(
    patch: tuple[int, int], grid: tuple[int, int], tokenizer: PreTrainedTokenizerFast
) -> LlavaConfig:
    """Return a vision transformer with oblong patches, a projector, and a two-layer Llama."""
    from transformers import LlamaConfig, LlavaConfig, ViTConfig

    vision = ViTConfig(
        image_size=[patch[0] * grid[0], patch[1] * grid[1]],
        patch_size=list(patch),
        hidden_size=WIDTH,
        num_hidden_layers=VISION_LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=3 * WIDTH,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=CONTEXT,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=grid[0] * grid[1],
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )


def _processor(
    patch: tuple[int, int],
    grid: tuple[int, int],
    tokenizer: PreTrainedTokenizerFast,
    brightness: tuple[float, float],
) -> LlavaProcessor:
    """Return a processor that scales pages to whole patches, with one image token per patch."""
    from transformers import LlavaImageProcessorPil, LlavaProcessor

    down, across = patch[0] * grid[0], patch[1] * grid[1]
    images = LlavaImageProcessorPil(
        size={"height": down, "width": across},
        crop_size={"height": down, "width": across},
        do_center_crop=False,
        image_mean=[brightness[0]] * 3,
        image_std=[brightness[1]] * 3,
    )
    # The processor counts square patches only. With a patch larger than any picture it counts
    # none, and all image tokens are given as additional ones: the patches and the class token.
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=max(down, across) + 1,
        num_additional_image_tokens=grid[0] * grid[1] + 1,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
        image_token=IMAGE,
    )
