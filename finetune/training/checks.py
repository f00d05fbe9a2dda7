"""Checks: options that would fail later, or teach something else, refused at the front."""

from __future__ import annotations

import os
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from psgimg.builder.command_options import flag
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import chat
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.models.manifest import TINY
from psgimg.finetune.training.psg_arguments import PsgArguments
from trl import ModelConfig, SFTConfig

REFUSED = {
    "packing": "pages can't be packed",
    "eval_packing": "pages can't be packed",
    "padding_free": "pages need padding",
    "assistant_only_loss": "the loss covers the answer alone as it is",
    "dataloader_persistent_workers": "pages would be augmented alike in every pass",
    "hub_token": "the token would be kept in training_args.bin; `hf auth login` or HF_TOKEN instead",
}

AT_LEAST = {
    "per_device_train_batch_size": 1,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "seed": 0,
}


def check(psg: PsgArguments, training: SFTConfig, model: ModelConfig) -> None:
    """Refuse at the front what would fail, or teach something else, later."""
    for part in (psg, training, model):
        _check_types(part)
    _check_training(training)
    if not psg.dataset:
        raise BuildError("no dataset; give --dataset with a folder or an id on the Hub")
    if not psg.model:
        raise BuildError("no model; give --model with a folder, an id on the Hub, or tiny")
    chat.check_context(psg.context)
    if psg.is_tiny and (model.use_peft or model.load_in_4bit or model.load_in_8bit):
        raise BuildError(
            f"--model {TINY} learns with all its weights; leave out --use-peft and --load-in-*"
        )
    if (model.load_in_4bit or model.load_in_8bit) and not model.use_peft:
        raise BuildError("weights in 4 or 8 bit can't learn; leave out --use-peft false")
    if "flip" in psg.augment and psg.context:
        raise BuildError(
            f"--augment {psg.augment}: a mirrored page has its neighbours on the wrong side; give "
            "--augment shift or none, or --context 0"
        )
    if psg.validation_pages < 1:
        raise BuildError(
            f"--validation-pages {psg.validation_pages}: give one or more, or --eval-strategy no"
        )


def _check_training(training: SFTConfig) -> None:
    for option, reason in REFUSED.items():
        if getattr(training, option):
            raise BuildError(f"{flag(option)}: {reason}; leave the option out")
    if training.max_length is not None:
        raise BuildError(
            f"--max-length {training.max_length} would cut image tokens; leave it out, and shrink "
            "pages with --max-pixels if memory is short"
        )
    if training.completion_only_loss is False:
        raise BuildError("--completion-only-loss false: the loss covers the answer; leave it out")
    for option, least in AT_LEAST.items():
        if getattr(training, option) < least:
            raise BuildError(f"{flag(option)} {getattr(training, option)}: give {least} or more")
    if training.num_train_epochs <= 0 and training.max_steps <= 0:
        raise BuildError(f"--num-train-epochs {training.num_train_epochs}: give more than 0")
    if training.train_sampling_strategy not in ("random", "sequential"):
        raise BuildError(
            f"--train-sampling-strategy {training.train_sampling_strategy}: pages have one length; "
            "leave the option out"
        )
    known = ["loss", *(metric.key for metric in metric_table.METRICS)]
    best = training.metric_for_best_model
    if best is not None and best.removeprefix("eval_") not in known:
        raise BuildError(f"--metric-for-best-model {best}: give one of {', '.join(known)}")
    out = Path(str(training.output_dir))
    nearest = next(path for path in (out, *out.absolute().parents) if os.access(path, os.F_OK))
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise BuildError(f"--output-dir {out}: {nearest} is no folder to write to; choose another")


def _check_types(part: Any) -> None:
    """Refuse what a YAML file holds and argparse lets through: any value of ours, numbers of TRL."""
    for name, hint in get_type_hints(type(part)).items():
        choices, value = get_args(hint) or (hint,), getattr(part, name)
        if get_origin(hint) is Literal and value not in choices:
            raise BuildError(f"{flag(name)} {value}: give one of {' | '.join(map(str, choices))}")
        simple = {int, float, NoneType} | ({bool, str} if isinstance(part, PsgArguments) else set())
        fits = type(value) in choices or (float in choices and type(value) is int)
        if simple.issuperset(choices) and not fits:
            kinds = " or ".join("nothing" if one is NoneType else one.__name__ for one in choices)
            raise BuildError(f"{flag(name)} {value}: give {kinds}")
