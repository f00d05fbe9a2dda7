"""Training: pages per second of fine-tuning an adapter, by psgimg's trainer or by plain TRL."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
import torch
from psgimg.finetune.data import page_set
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.models import families
from psgimg.finetune.training.trainer import StagingTrainer
from sft_step import bare
from transformers import TrainerCallback
from trl import ModelConfig, SFTConfig, SFTTrainer, get_peft_config

from on_gpu import levers
from on_gpu.measurement import PROMPT, WARM_UP, Measurement, page_flops, profile, synchronise


class Clock(TrainerCallback):
    """Seconds of each step and of the wait for its pages, with the card synchronised."""

    def __init__(self) -> None:
        self.steps_s: list[float] = []
        self.waits_s: list[float] = []
        self._last = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the wait for the pages."""
        self.waits_s.append(time.perf_counter() - self._last)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the step, with its wait."""
        synchronise()
        now = time.perf_counter()
        self.steps_s.append(now - self._last)
        self._last = now


def measure(
    one: Measurement, dataset: str, model: Any, processor: Any, *, profiled: bool
) -> dict[str, Any]:
    """Train for some steps and return the figures."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        trainer = _trainer(one, dataset, model, processor, clock, out)
        pages = [trainer.train_dataset[i] for i in range(one.batch)]
        batch = trainer.data_collator([dict(page) for page in pages])
        trainer.train()
        if profiled:
            inputs = trainer._prepare_inputs(batch)
            profile(lambda: trainer.training_step(trainer.model, inputs, one.batch))
    steps, waits = clock.steps_s[WARM_UP:], clock.waits_s[WARM_UP:]
    flops = page_flops(levers.base(trainer.model), batch)
    # Backward through the text alone, whose frozen weights need no gradient of their own.
    per_page = flops["vision"] + flops["text"] * (3 if one.checkpointing else 2)
    pages_per_s = one.batch * len(steps) / sum(steps)
    return {
        "pages_per_s": round(pages_per_s, 2),
        "step_s": round(float(np.median(steps)), 4),
        "waiting": round(sum(waits) / sum(steps), 4),
        "tflop_per_s": round(pages_per_s * per_page / 1e12, 1),
        "tokens": int(batch["input_ids"].shape[1]),
    }


def _trainer(
    one: Measurement, dataset: str, model: Any, processor: Any, clock: Clock, out: str
) -> Any:
    """Return the trainer with the levers of a measurement."""
    train = page_set.load(dataset, None, "train")
    rows = np.resize(train.rows, (WARM_UP + one.steps) * one.batch)
    adapter = ModelConfig(
        use_peft=True,
        lora_r=16,
        lora_dropout=0.0 if one.uses("plain") else 0.05,
        lora_target_modules=families.lora_targets(model, vision=False),
    )
    common: dict[str, Any] = {
        "model": model,
        "processing_class": processor,
        "args": _config(one, out, on_gpu=model.device.type == "cuda"),
        "callbacks": [clock],
        "peft_config": get_peft_config(adapter),
    }
    if one.job == "bare":
        trainer: Any = SFTTrainer(train_dataset=bare(dataset, rows), **common)
    else:
        own = Augmented(train, lambda number: rows, PROMPT, 0, "none", 0).dataset()
        trainer = StagingTrainer(train_dataset=own, answers=PROMPT.answers, **common)
    if one.uses("positions"):
        trainer.data_collator = levers.WithPositions(trainer.data_collator, trainer.model)
    if one.uses("half"):
        for parameter in filter(lambda p: p.requires_grad, trainer.model.parameters()):
            parameter.data = parameter.data.to(torch.bfloat16)
    if one.uses("compile"):
        levers.compile_layers(trainer.model)
    return trainer


def _config(one: Measurement, out: str, *, on_gpu: bool) -> SFTConfig:
    return SFTConfig(
        output_dir=out,
        max_steps=WARM_UP + one.steps,
        per_device_train_batch_size=one.batch,
        max_length=None,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        gradient_checkpointing=one.checkpointing,
        dataloader_num_workers=one.loaders if on_gpu else 0,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        save_strategy="no",
        logging_steps=1000,
        report_to=[],
        disable_tqdm=True,
    )
