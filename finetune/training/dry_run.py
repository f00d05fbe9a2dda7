"""Dry run: the memory and the time that a training will take, estimated before anything is loaded."""

from __future__ import annotations

import re
from typing import Any

import torch
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import percent
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.models import families
from psgimg.finetune.models.compiled import COMPILED_FROM
from psgimg.finetune.models.loading import load_processor, load_shape
from psgimg.finetune.training import arguments, page_checks, speed
from psgimg.finetune.training.arguments import Arguments
from psgimg.finetune.training.cost import MEASURED_WITHIN, Cost
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

TFLOP_PER_S = {"H100": (155.0, 287.0), "H200": (180.0, 337.0)}
"""Part of the name of a card → its measured rate in training, as layers are and compiled, at 32 pages
at once (``docs/gpu.json``)."""

AT_ONCE = (1, 2, 4, 8, 16, 32, 64)


def lines(options: Arguments) -> list[str]:
    """Return lines that say what a training will take.

    Only the configuration and the processor of the model, and the index of the dataset, are read.

    Raises
    ------
    BuildError
        If an option, the dataset or the model can't be used.
    """
    psg, training, model_args = options
    if psg.is_tiny:
        raise BuildError("--dry-run: the tiny model needs no card and 1 GB; start it without")
    train = page_checks.training_pages(psg, training)
    arguments.fit_to_run(options, len(train))
    cost = _cost(options, train.build["recipe"])
    step = training.per_device_train_batch_size * training.gradient_accumulation_steps
    step *= training.world_size
    n_pages = training.max_steps * step
    if training.max_steps <= 0:
        n_pages = round(training.num_train_epochs * len(train))
    return [
        f"model        {psg.model}: {cost.n_parameters / 1e9:.2f} G parameters, "
        f"{cost.n_learned / 1e6:.1f} M learn",
        f"dataset      {len(train):,} training pages; a row has {cost.n_tokens} tokens",
        f"run          {n_pages:,} pages, {step} a step: {-(-n_pages // step):,} steps",
        *_memory(cost, four_bit=bool(model_args.load_in_4bit)),
        *_card(cost, options, n_pages),
    ]


def _cost(options: Arguments, recipe: Any) -> Cost:
    """Return the cost of the model on rows of the dataset's pages."""
    psg, training, model_args = options
    model = load_shape(
        psg.model,
        revision=model_args.model_revision,
        trust_remote_code=training.trust_remote_code,
    )
    processor = load_processor(
        psg.model,
        revision=model_args.model_revision,
        trust_remote_code=training.trust_remote_code,
        template_elsewhere=training.chat_template_path is not None,
    )
    if psg.max_pixels is not None:
        page_px = recipe["style"]["width_px"]
        families.cap_pixels(processor, psg.shown.n_pixels(psg.max_pixels, page_px))
    page = Image.new("RGB", (recipe["style"]["width_px"], recipe["style"]["height_px"]))
    context = psg.shown
    prompt = prompts.load(psg.prompt).about(recipe)
    n_beside = context.pages
    row = chat_row([page] * (1 + 2 * n_beside), STAGE_NAMES[0], prompt, n_beside, context)
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    targets = None
    if psg.freeze_vision:
        families.freeze_vision(model)
    if model_args.use_peft:
        chosen = model_args.lora_target_modules
        targets = families.lora_targets(model, vision=not psg.freeze_vision)
        if chosen is not None:
            targets = _pattern(chosen)
    return Cost.of(model, collate([row]), targets=targets, rank=model_args.lora_r)


def _pattern(chosen: str | list[str]) -> str:
    """Return a regular expression for the layers that a user named for LoRA."""
    names = [chosen] if isinstance(chosen, str) else chosen
    if names == ["all-linear"]:
        return ".*"
    return rf"(?:.*\.)?(?:{'|'.join(map(re.escape, names))})"


def _memory(cost: Cost, *, four_bit: bool) -> list[str]:
    """Return a table of memory by pages at once."""
    title = f"memory, GB   {'pages at once':22}" + "".join(f"{n:>7}" for n in AT_ONCE)
    found = [title]
    for bits in (False, True) if cost.is_adapter else (False,):
        for checkpointing in (False, True):
            words = f"{'4 bit, ' if bits else ''}{'with' if checkpointing else 'no'} checkpointing"
            mark = "»" if bits == four_bit and cost.is_adapter else " "
            values = (
                cost.gb(n, checkpointing=checkpointing, four_bit=bits, compiled=False)
                for n in AT_ONCE
            )
            found.append(f"           {mark} {words:22}" + "".join(f"{gb:7.1f}" for gb in values))
    return [
        *found,
        f"             estimates, at most {percent(MEASURED_WITHIN)} from the peaks measured on an H100 with a "
        "2B model; compiled layers take less",
    ]


def _card(cost: Cost, options: Arguments, n_pages: int) -> list[str]:
    """Return what the card here holds, and how long the run takes on it if its rate is known."""
    _, training, model_args = options
    if training.device.type != "cuda":
        return [
            "card         none here; --dry-run on the machine of the training estimates its time"
        ]
    name = torch.cuda.get_device_name(training.device)
    room = speed.USED * torch.cuda.get_device_properties(training.device).total_memory / 1e9
    bits = bool(model_args.load_in_4bit)
    step = training.per_device_train_batch_size
    fits = {
        checkpointing: max(
            (
                n
                for n in range(1, step + 1)
                if step % n == 0 and cost.gb(n, checkpointing=checkpointing, four_bit=bits) <= room
            ),
            default=0,
        )
        for checkpointing in (False, True)
    }
    if not any(fits.values()):
        remedy = "a smaller model" if bits else "--load-in-4bit true, or a smaller model"
        return [f"card         {name}, {room:.0f} GB to use: too small for one page; use {remedy}"]
    said = f"{fits[False]} pages at once without checkpointing, {fits[True]} with"
    return [f"card         {name}, {room:.0f} GB to use: {said}", _time(cost, name, n_pages)]


def _time(cost: Cost, name: str, n_pages: int) -> str:
    """Return how long the run takes on a card, if its rate is known."""
    rates = next((rates for part, rates in TFLOP_PER_S.items() if part in name), None)
    if rates is None:
        return "time         unknown on this card; --max-steps 30 shows pages per second"
    rate = rates[n_pages >= COMPILED_FROM]
    hours = n_pages * cost.flops(checkpointing=False) / (rate * 1e12) / 3600
    return f"time         about {hours:.1f} h, validation not counted, at the rate measured on such a card"
