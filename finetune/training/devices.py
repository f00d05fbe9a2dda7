"""Devices: what the cards of a machine can do, and requests that they can't meet, in one line each."""

from __future__ import annotations

import os
from typing import Any

import torch
from psgimg.builder.errors import BuildError

VISIBLE = "CUDA_VISIBLE_DEVICES"
NONE_VISIBLE = ("", "-1", "NoDevFiles")
"""Values by which a user, or a batch system, asks for no card."""

BF16_CAPABILITY = (8, 0)
"""The oldest cards that compute in bfloat16 (Ampere)."""

DIVIDES = ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP")
"""Variables by which `accelerate launch` asks for them."""

MOST_LOADERS = 12


def check(*, use_cpu: bool, bf16: bool | None) -> None:
    """Refuse a training for which the cards are missing, too few or too old.

    Parameters
    ----------
    bf16
        Whether the user asked for bfloat16; None if not.

    Raises
    ------
    BuildError
        With the remedy.
    """
    if use_cpu:
        return
    n_cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    asked = os.environ.get(VISIBLE)
    if asked is not None and asked not in NONE_VISIBLE and not n_cards:
        raise BuildError(
            f"{VISIBLE}={asked}: {_why_none()}; correct it, or train on the CPU with --use-cpu true"
        )
    if bf16 and not torch.accelerator.is_available():
        raise BuildError("--bf16 true: there is no card; leave it out, or add --use-cpu true")
    if bf16 and n_cards and not computes_bf16():
        raise BuildError(
            f"--bf16 true: {_names()} can't compute in bfloat16; use --fp16 true, or leave both out"
        )
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if 0 < n_cards < n_here:
        raise BuildError(
            f"{n_here} processes for {n_cards} cards; start torchrun with --nproc-per-node {n_cards}"
        )


def has_card(asked: Any) -> bool:
    """Whether a training with these options has the whole model on a card, in each process.

    DeepSpeed and FSDP divide it, whether they are asked for by an option or by `accelerate launch`.
    """
    divided = bool(asked.deepspeed) or bool(asked.fsdp)
    divided |= any(os.environ.get(name) == "true" for name in DIVIDES)
    return torch.cuda.is_available() and not asked.use_cpu and not divided


def computes_bf16() -> bool:
    """Whether all cards compute in bfloat16."""
    return all(torch.cuda.get_device_capability(i) >= BF16_CAPABILITY for i in _cards())


def use_one_card(training: Any) -> str | None:
    """Let a single process use one card, and return a line for the user if there are more.

    transformers would divide each batch over all cards in one process, along the first dimension of
    each tensor, which takes the patches of some families apart.
    """
    if training.n_gpu <= 1:
        return None
    n_cards, training._n_gpu = training.n_gpu, 1
    return (
        f"one of {n_cards} cards is used; for all: torchrun --nproc-per-node {n_cards} "
        "$(which psgimg) sft …"
    )


def mixed() -> str | None:
    """Return a line for the user if the cards that train together differ."""
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if n_here < 2 or not torch.cuda.is_available():
        return None
    kinds = sorted({torch.cuda.get_device_name(i) for i in list(_cards())[:n_here]})
    if len(kinds) < 2:
        return None
    return f"different cards ({', '.join(kinds)}): all do as much as the smallest, and wait for the slowest"


def n_loaders() -> int:
    """Return the worker processes that prepare pages for a card, of each process."""
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    cores = len(os.sched_getaffinity(0)) // n_here
    return max(1, min(MOST_LOADERS, cores - 2))


def _cards() -> range:
    return range(torch.cuda.device_count() if torch.cuda.is_available() else 0)


def _names() -> str:
    return ", ".join(sorted({torch.cuda.get_device_name(i) for i in _cards()}))


def _why_none() -> str:
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA (pip install torch)"
    return f"torch {torch.__version__} finds no card (nvidia-smi shows cards and driver)"
