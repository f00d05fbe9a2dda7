"""Speed: what lets a training use its card well, chosen for the model, the card and the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import DistributedType
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import collator
from psgimg.finetune.models import (
    compatibility,
    compiled,
    families,
    frozen,
    fused,
    vision_attention,
)
from psgimg.finetune.models.page_positions import PagePositions
from psgimg.finetune.training import micro_batch

USED = 0.92
"""Share of a card's memory that a training is planned to take; compiling and other sizes need some."""

TOKENS_MULTIPLE = 8
"""Rows are padded to a multiple of this, so that compiled layers see one length."""

WHOLE_MODEL = (DistributedType.NO, DistributedType.MULTI_GPU)
"""Ways of training in which each process has the whole model."""

WHOLE = ".modules_to_save."
"""Part of the names by which peft calls weights of modules that learn whole."""

ADAM_BYTES = 8
"""Bytes of AdamW's state for each weight that learns."""


@dataclass(frozen=True)
class Levers:
    """Which levers to use; each only where it can be, and by default where it pays.

    Parameters
    ----------
    one_call
        Vision attention of all pages in one call.
    positions
        Positions computed by the loaders.
    patches
        Patches embedded by a matrix product.
    compiled
        Layers compiled; None means for runs that are long enough.
    fitted
        Pages at once chosen from the card's memory.
    checkpointing
        Whether activations are checkpointed; None leaves it to the memory of the card.
    """

    one_call: bool = True
    positions: bool = True
    patches: bool = True
    compiled: bool | None = None
    fitted: bool = True
    checkpointing: bool | None = None


@dataclass
class Prepared:
    """A collator that prepares batches further for a card.

    Parameters
    ----------
    multiple
        Multiple of tokens to which rows are padded.
    """

    collator: Callable[[list[dict[str, Any]]], Any]
    positions: PagePositions | None
    multiple: int

    def __call__(self, examples: list[dict[str, Any]]) -> Any:
        """Collate chat rows into a batch."""
        batch = self.collator(examples)
        collator.padded(batch, self.multiple)
        if self.positions is not None:
            self.positions.add(batch)
        return batch


def prepare(trainer: Any, levers: Levers) -> list[str]:
    """Prepare a trainer for its card, before its first step, and return lines that say how.

    On a CPU, with DeepSpeed and with FSDP nothing changes, except that a frozen vision tower
    computes no unused gradients.

    Parameters
    ----------
    trainer
        A :class:`psgimg.finetune.training.trainer.StagingTrainer`.

    Raises
    ------
    BuildError
        If the card is too small for one page.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    widen(model)
    without = frozen.without_gradients(model)
    if not _on_card(trainer):
        return []
    used = ["a frozen vision tower without gradients"] if without else []
    if levers.one_call and vision_attention.in_one_call(model):
        used.append("vision attention in one call")
    if levers.patches and fused.patches(model):
        used.append("patches embedded by a matrix product")
    positions = PagePositions.of(model) if levers.positions else None
    if positions is not None:
        used.append("positions computed by the loaders")
    if levers.fitted:
        _fit(trainer, levers.checkpointing)
    compiles = levers.compiled
    if compiles is None:
        compiles = compiled.pays(model, n_pages(trainer))
    if compiles:
        compiled.compile_layers(model)
        used.append("compiled layers")
    trainer.compiled = bool(compiles)
    own = trainer.data_collator
    trainer.data_collator = Prepared(own, positions, TOKENS_MULTIPLE if compiles else 1)
    return lines(trainer, used)


def _on_card(trainer: Any) -> bool:
    """Return whether this process has the whole model on a card, as DeepSpeed and FSDP do not."""
    is_whole = trainer.accelerator.distributed_type in WHOLE_MODEL
    return is_whole and str(trainer.args.device.type) == "cuda"


def widen(model: Any) -> None:
    """Convert modules that learn whole beside an adapter to full precision, as peft does its own.

    In half precision, updates much smaller than a weight would be lost.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and WHOLE in name:
            parameter.data = parameter.data.float()


def n_pages(trainer: Any) -> int:
    """Return the pages that a training shows, over all its passes and on this device."""
    args = trainer.args
    if args.max_steps > 0:
        return int(
            args.max_steps * args.per_device_train_batch_size * args.gradient_accumulation_steps
        )
    return int(args.num_train_epochs * len(trainer.train_dataset) / args.world_size)


def lines(trainer: Any, used: list[str]) -> list[str]:
    """Return lines that say what the card does."""
    args = trainer.args
    at_once = args.per_device_train_batch_size
    step = at_once * args.gradient_accumulation_steps
    checkpointing = "with" if compatibility.is_checkpointed(args) else "without"
    return [
        f"card              {torch.cuda.get_device_name(args.device)}: {step} pages a step, {at_once} "
        f"at once, {checkpointing} activation checkpointing",
        *([f"speed             {', '.join(used)}"] if used else []),
    ]


def _fit(trainer: Any, checkpointing: bool | None) -> None:
    """Set how many pages are trained on at once, and checkpointing if it is left open.

    Accumulation keeps the pages of a step. Where the user accumulates, the batch stays as it is.
    """
    args, accelerator = trainer.args, trainer.accelerator
    if args.gradient_accumulation_steps > 1:
        return
    n = args.per_device_train_batch_size
    room = USED * _least(accelerator, _room(args.device)) - _optimizer_bytes(trainer)

    def peak(n_rows: int, checkpoints: bool) -> float:
        # Cards may differ, and all processes must choose alike.
        return -_least(accelerator, -trainer.peak_bytes(n_rows, checkpoints))

    try:
        found = micro_batch.fitted(peak, room, n, checkpointing)
    except BuildError as error:
        name = torch.cuda.get_device_name(args.device)
        raise BuildError(
            f"{name} is too small for this model: {error}; {_remedy(trainer)}"
        ) from None
    compatibility.set_checkpointing(args, found.checkpointing)
    args.per_device_train_batch_size = found.n_pages
    args.gradient_accumulation_steps = n // found.n_pages
    trainer.follow_batch_size()


def _room(device: torch.device) -> float:
    """Return the bytes of a card that are free, or held by this process."""
    free, _ = torch.cuda.mem_get_info(device)
    return float(free + torch.cuda.memory_reserved(device))


def _least(accelerator: Any, value: float) -> float:
    """Return the least of a value over all processes."""
    own = torch.tensor([value], dtype=torch.float64, device=accelerator.device)
    return float(accelerator.gather(own).min())


def _optimizer_bytes(trainer: Any) -> float:
    learns = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    return float(ADAM_BYTES * learns)


def _remedy(trainer: Any) -> str:
    model = families.bare(trainer.model)
    if trainer.is_adapted and not getattr(model, "is_loaded_in_4bit", False):
        return "use --load-in-4bit true, --max-pixels, or a smaller model"
    if not trainer.is_adapted:
        return "train an adapter with --use-peft true, or use a smaller model"
    return "use --max-pixels, a smaller model, or a larger card"
