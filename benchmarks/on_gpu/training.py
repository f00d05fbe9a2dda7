"""Training: pages per second of fine-tuning an adapter, by psgimg's trainer or by plain TRL.

Levers that a measurement can leave out: ``one_call`` (vision attention), ``positions`` (computed by
the loaders), ``patches`` (embedded by a product), ``compiled`` (layers).
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
from psgimg.finetune.data import page_set
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.data.context import ALONE
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.models import compatibility, families
from psgimg.finetune.training import devices, speed
from psgimg.finetune.training.cost import Cost
from psgimg.finetune.training.speed import Levers
from psgimg.finetune.training.trainer import StagingTrainer
from sft_step import bare
from transformers import TrainerCallback
from trl import ModelConfig, SFTConfig, SFTTrainer, get_peft_config
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from on_gpu.measurement import PROMPT, WARM_UP, Measurement, Setting, job, profile, synchronise

LORA_RANK = 16
LONG = 32
"""Pages of a step of a long run, as `psgimg sft` takes them."""

BIG = ("qwen3-vl-4b", "qwen3-vl-8b", "smolvlm2-2b", "llava-next-7b")

MEASUREMENTS = (
    Measurement(0, "sft, defaults", "sft"),
    Measurement(1, "bare TRL", "bare", batch=16, checkpointing=True, loaders=4),
    Measurement(10, "bare TRL, batch 32, no checkpointing", "bare", batch=32, checkpointing=False),
    Measurement(11, "sft, not compiled", "sft", without=("compiled",)),
    Measurement(12, "sft, vision attention page by page", "sft", without=("one_call",)),
    Measurement(13, "sft, positions by the model", "sft", without=("positions",)),
    Measurement(13, "sft, patches by a convolution", "sft", without=("patches",)),
    Measurement(14, "sft, 8 pages a step", "sft", batch=8),
    Measurement(15, "sft, checkpointing, 64 pages a step", "sft", batch=64, checkpointing=True),
    *(Measurement(20 + i, f"sft, defaults, {shape}", "sft", shape) for i, shape in enumerate(BIG)),
    *(
        Measurement(30 + i, f"bare TRL, {shape}", "bare", shape, batch=16, checkpointing=True)
        for i, shape in enumerate(BIG)
    ),
    Measurement(40, "sft, 4 bit", "sft", four_bit=True),
    *(
        Measurement(41 + i, f"sft, 4 bit, {shape}", "sft", shape, four_bit=True)
        for i, shape in enumerate(BIG)
    ),
    Measurement(50, "sft, 16 pages a step", "sft", batch=16),
    Measurement(
        51, "sft, not compiled, checkpointing", "sft", without=("compiled",), checkpointing=True
    ),
)


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


@job("sft")
def sft(one: Measurement, setting: Setting) -> dict[str, Any]:
    """Train for some steps as `psgimg sft` does in a long run."""
    model, processor = setting.model(one)
    batch = one.batch or LONG
    train = page_set.load(setting.dataset, None, "train")
    rows = np.resize(train.rows, (WARM_UP + one.steps) * batch)
    cost = _cost(model, processor, train)
    own = Augmented(
        Looks.of(train, varied=True), lambda number: rows, PROMPT, ALONE, "none", 0
    ).dataset()
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        args = _config(one, setting, out, batch)
        common = _common(model, processor, args, clock)
        with compatibility.without_deprecations():
            trainer = StagingTrainer(train_dataset=own, answers=PROMPT.answers, **common)
            levers = Levers(
                one_call="one_call" not in one.without,
                positions="positions" not in one.without,
                patches="patches" not in one.without,
                compiled="compiled" not in one.without and families.has_constant_shapes(model),
                fitted=one.batch is None,
                checkpointing=one.checkpointing,
            )
            if one.checkpointing is not None:
                compatibility.set_checkpointing(args, one.checkpointing)
            print("\n".join(speed.prepare(trainer, levers)))
            trainer.train()
            figures = _figures(trainer, clock, batch, cost)
            if setting.is_profiled:
                _profile(trainer)
    return figures


@job("bare")
def bare_trl(one: Measurement, setting: Setting) -> dict[str, Any]:
    """Train for some steps as a plain TRL script does."""
    model, processor = setting.model(one)
    batch = one.batch or LONG
    train = page_set.load(setting.dataset, None, "train")
    rows = np.resize(train.rows, (WARM_UP + one.steps) * batch)
    cost = _cost(model, processor, train)
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        common = _common(model, processor, _config(one, setting, out, batch), clock)
        with compatibility.without_deprecations():
            trainer = SFTTrainer(train_dataset=bare(setting.dataset, rows), **common)
            trainer.train()
        return _figures(trainer, clock, batch, cost)


def _figures(trainer: Any, clock: Clock, batch: int, cost: Cost) -> dict[str, Any]:
    """Return the figures of a training."""
    steps, waits = clock.steps_s[WARM_UP:], clock.waits_s[WARM_UP:]
    args = trainer.args
    checkpointing = compatibility.is_checkpointed(args)
    pages_per_s = batch * len(steps) / sum(steps)
    return {
        "pages_per_s": round(pages_per_s, 2),
        "step_s": round(float(np.median(steps)), 4),
        "waiting": round(sum(waits) / sum(steps), 4),
        "tflop_per_s": round(pages_per_s * cost.flops(checkpointing=checkpointing) / 1e12, 1),
        "tokens": cost.n_tokens,
        "estimated_gb": round(_estimate(trainer, cost), 1),
        "at_once": args.per_device_train_batch_size,
        "checkpointing": checkpointing,
    }


def _cost(model: Any, processor: Any, train: PageSet) -> Cost:
    """Return the cost of a model that has no adapter yet, on a page."""
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batch = collate(train.chat_rows(train.rows[:1].tolist(), PROMPT, ALONE))
    targets = families.lora_targets(model, vision=False)
    return Cost.of(model, batch, targets=targets, rank=LORA_RANK)


def _estimate(trainer: Any, cost: Cost) -> float:
    """Return the memory that `psgimg sft --dry-run` would estimate, in GB."""
    args, model = trainer.args, families.bare(trainer.model)
    return cost.gb(
        args.per_device_train_batch_size,
        checkpointing=compatibility.is_checkpointed(args),
        four_bit=bool(getattr(model, "is_loaded_in_4bit", False)),
        compiled=bool(getattr(trainer, "compiled", False)),
    )


def _profile(trainer: Any) -> None:
    rows = [trainer.train_dataset[i] for i in range(trainer.args.per_device_train_batch_size)]
    inputs = trainer._prepare_inputs(trainer.data_collator(rows))
    profile(lambda: trainer.training_step(trainer.model, inputs))


def _common(model: Any, processor: Any, args: SFTConfig, clock: Clock) -> dict[str, Any]:
    adapter = ModelConfig(
        use_peft=True,
        lora_r=LORA_RANK,
        lora_target_modules=families.lora_targets(model, vision=False),
    )
    return {
        "model": model,
        "processing_class": processor,
        "args": args,
        "callbacks": [clock],
        "peft_config": get_peft_config(adapter),
    }


def _config(one: Measurement, setting: Setting, out: str, batch: int) -> SFTConfig:
    loaders = one.loaders or devices.n_loaders()
    values = {
        "output_dir": out,
        "max_steps": WARM_UP + one.steps,
        "per_device_train_batch_size": batch,
        "max_length": None,
        "bf16": setting.on_card,
        "use_cpu": not setting.on_card,
        "gradient_checkpointing": bool(one.checkpointing),
        "dataloader_num_workers": loaders if setting.on_card else 0,
        "dataloader_pin_memory": setting.on_card,
        "accelerator_config": {"non_blocking": setting.on_card and one.job == "sft"},
        "remove_unused_columns": False,
        "save_strategy": "no",
        "logging_steps": 1000,
        "report_to": [],
        "disable_tqdm": True,
    }
    return SFTConfig(**compatibility.training_options(values, SFTConfig.__dataclass_fields__))
