"""Estimates: a table of the memory that training takes, by shape, pages at once and way of training."""

from __future__ import annotations

import torch
import transformers
from PIL import Image
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.models import families
from psgimg.finetune.training.cost import Cost
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from on_gpu import models
from on_gpu.measurement import PROMPT, TEXTS

AT_ONCE = (1, 8, 32)
PAGE_PX = (896, 448)
LORA_RANK = 16


def cost(name: str) -> Cost:
    """Return the cost of LoRA on a model of a published shape, with a page of ``clinical``."""
    shape = models.SHAPES[name]
    _, config, processor = models.FAMILIES[shape.family](shape, TEXTS)
    with torch.device("meta"):
        model = transformers.AutoModelForImageTextToText.from_config(config)
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batch = collate([chat_row([Image.new("RGB", PAGE_PX)], "REM", PROMPT)])
    targets = families.lora_targets(model, vision=False)
    return Cost.of(model, batch, targets=targets, rank=LORA_RANK)


def table() -> str:
    """Return the memory of all shapes, in GB, as a Markdown table."""
    ways = [(False, False), (False, True), (True, False), (True, True)]
    heads = [
        f"{'4 bit' if bits else 'bf16'}{', checkpointing' if checkpointing else ''}"
        for bits, checkpointing in ways
    ]
    lines = [
        f"| shape, tokens a page | pages at once | {' | '.join(heads)} |",
        f"|:--|{'--:|' * (1 + len(ways))}",
    ]
    for name in models.SHAPES:
        found = cost(name)
        for n in AT_ONCE:
            cells = [
                f"{found.gb(n, checkpointing=checkpointing, four_bit=bits):.0f}"
                for bits, checkpointing in ways
            ]
            title = f"{name}, {found.n_tokens}" if n == AT_ONCE[0] else ""
            lines.append(f"| {title} | {n} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
