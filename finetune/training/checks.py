"""Checks of the options of `psgimg sft` before anything is loaded or trained."""

from __future__ import annotations

import math
import os
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from psgimg.builder.command_options import flag
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import augment, sampling
from psgimg.finetune.data.context import WHOLE
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.models.manifest import TINY
from psgimg.finetune.training.psg_arguments import PsgArguments
from transformers.integrations import get_reporting_integration_callbacks
from trl import ModelConfig, SFTConfig

REFUSED = {
    "packing": "pages can't be packed",
    "eval_packing": "pages can't be packed",
    "padding_free": "pages need padding",
    "assistant_only_loss": "the loss already covers only the answer",
    "dataloader_persistent_workers": "pages would be augmented identically in every pass",
    "hub_token": "the token would be saved in training_args.bin; use `hf auth login` or HF_TOKEN instead",
}

ONE_OR_MORE = (
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
)

KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "text", NoneType: "null"}
"""Names of types in messages, in the terms of YAML."""


def check(psg: PsgArguments, training: SFTConfig, model: ModelConfig) -> None:
    """Reject options that would fail during training, or silently train something else.

    Raises
    ------
    BuildError
        For the first such option, with the remedy.
    """
    for part in (psg, training, model):
        _check_types(part)
    _check_training(training)
    if not psg.dataset:
        raise BuildError("no dataset; pass --dataset with a folder or an id on the Hub")
    if not psg.model:
        raise BuildError("no model; pass --model with a folder, an id on the Hub, or tiny")
    _check_context(psg)
    if psg.is_tiny and (model.use_peft or model.load_in_4bit or model.load_in_8bit):
        raise BuildError(
            f"--model {TINY} trains all its weights; leave out --use-peft and --load-in-*"
        )
    if (model.load_in_4bit or model.load_in_8bit) and not model.use_peft:
        raise BuildError("weights in 4 or 8 bit can't be trained; leave out --use-peft false")
    if augment.FLIP in augment.ways(psg.augment) and psg.context:
        raise BuildError(
            f"--augment {psg.augment}: a mirrored page has its neighbours on the wrong side; leave "
            "flip out, or use --context 0"
        )
    if psg.soft_labels and (training.label_smoothing_factor or training.loss_type == "dft"):
        raise BuildError(
            "--soft-labels has a loss of its own; leave out --label-smoothing-factor and --loss-type"
        )
    if psg.validation_pages < 1:
        raise BuildError(
            f"--validation-pages {psg.validation_pages}: must be at least 1; to train without "
            "validation, use --eval-strategy no"
        )


def _check_context(psg: PsgArguments) -> None:
    """Refuse numbers out of bounds, and ways to show neighbours where none are shown."""
    if psg.shown.pages:
        return
    for option, given in (
        (f"--context-scale {psg.context_scale:g}", psg.context_scale != WHOLE),
        ("--context-mixed", psg.context_mixed),
    ):
        if given:
            raise BuildError(f"{option}: no neighbours are shown; add --context K, or leave it out")


def _check_training(training: SFTConfig) -> None:
    for option, reason in REFUSED.items():
        if getattr(training, option):
            raise BuildError(f"{flag(option)}: {reason}; leave the option out")
    if training.max_length is not None:
        raise BuildError(
            f"--max-length {training.max_length} would cut image tokens; leave it out, and "
            "reduce the pages with --max-pixels if memory is short"
        )
    if training.completion_only_loss is False:
        raise BuildError(
            "--completion-only-loss false: the loss must cover only the answer; leave it out"
        )
    _check_numbers(training)
    _check_reports(training)
    if training.train_sampling_strategy not in ("random", "sequential"):
        raise BuildError(
            f"--train-sampling-strategy {training.train_sampling_strategy}: all pages have the "
            "same length; leave the option out"
        )
    metrics = ["loss", *(metric.key for metric in metric_table.METRICS)]
    best = training.metric_for_best_model
    if best is not None and best.removeprefix("eval_") not in metrics:
        raise BuildError(f"--metric-for-best-model {best}: use one of {', '.join(metrics)}")
    out = Path(str(training.output_dir))
    nearest = next(path for path in (out, *out.absolute().parents) if os.access(path, os.F_OK))
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise BuildError(f"--output-dir {out}: {nearest} is not a writable folder; choose another")


def _check_numbers(training: SFTConfig) -> None:
    """Reject numbers that TRL takes and then fails by, or takes for others."""
    for option in ONE_OR_MORE:
        if getattr(training, option) < 1:
            raise BuildError(f"{flag(option)} {getattr(training, option)}: must be at least 1")
    sampling.check_seed(training.seed)
    if not 0 < training.learning_rate < math.inf:
        raise BuildError(f"--learning-rate {training.learning_rate}: must be a number above 0")
    if training.max_steps == 0:
        raise BuildError("--max-steps 0: must be at least 1; leave it out to train by passes")
    if training.num_train_epochs <= 0 and training.max_steps <= 0:
        raise BuildError(f"--num-train-epochs {training.num_train_epochs}: must be above 0")


def _check_reports(training: SFTConfig) -> None:
    """Reject a service to report to that is unknown or not installed, as the trainer does later."""
    for name in training.report_to or ():
        try:
            for callback in get_reporting_integration_callbacks([name]):
                callback()
        except (ValueError, RuntimeError, ImportError) as error:
            raise BuildError(
                f"--report-to {name}: {str(error).rstrip('.')}; leave the option out to report nowhere"
            ) from error


def _check_types(part: Any) -> None:
    """Reject values of a wrong type, which argparse accepts from a YAML file.

    psgimg's options are checked in full, TRL's as far as they are numbers.
    """
    for name, hint in get_type_hints(type(part)).items():
        choices, value = get_args(hint) or (hint,), getattr(part, name)
        if get_origin(hint) is Literal and value not in choices:
            raise BuildError(f"{flag(name)} {value}: use one of {' | '.join(map(str, choices))}")
        simple = {int, float, NoneType} | ({bool, str} if isinstance(part, PsgArguments) else set())
        fits = type(value) in choices or (float in choices and type(value) is int)
        if simple.issuperset(choices) and not fits:
            kinds = " or ".join(KINDS[choice] for choice in choices)
            raise BuildError(f"{flag(name)} {value}: must be {kinds}")
