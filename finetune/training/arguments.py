"""Arguments of `psgimg sft`: TRL's options, psgimg's own, and the defaults for this task."""

from __future__ import annotations

import argparse
import difflib
import itertools
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import torch
from psgimg.builder.command_options import flag, kebab, read_file, snake
from psgimg.builder.errors import BuildError
from psgimg.finetune.models import compatibility
from psgimg.finetune.models.manifest import TINY
from psgimg.finetune.training import checks, devices
from psgimg.finetune.training.psg_arguments import PsgArguments
from transformers.utils import is_torch_bf16_gpu_available
from trl import ModelConfig, SFTConfig, TrlParser

DEFAULTS: dict[str, Any] = {
    "output_dir": "psg-model",
    "max_length": None,  # truncation would cut image tokens
    "eval_strategy": "steps",
    "eval_steps": 0.1,
    "save_steps": 0.1,
    "save_total_limit": 2,
    "dtype": None,  # depends on whether all weights are trained
    "lr_scheduler_type": "cosine",
}

PRETRAINED = {"num_train_epochs": 1, "warmup_steps": 0.03}
ADAPTER = {**PRETRAINED, "use_peft": True, "learning_rate": 1e-4}
WHOLE = {**PRETRAINED, "use_peft": False, "learning_rate": 1e-5}

# Tuned on the demo and on one Sleep-EDF night, in float32 on a CPU.
TINY_RECIPE: dict[str, Any] = {
    "use_peft": False,
    "freeze_vision": False,
    "augment": "flip,shift",
    "num_train_epochs": 2,
    "eval_steps": 0.25,
    "save_steps": 0.25,
    "validation_pages": 200,
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 16,
    "weight_decay": 0.05,
    "adam_beta2": 0.99,
    "warmup_steps": 10,
    "gradient_checkpointing": False,
    "bf16": False,
    "fp16": False,
    "dtype": "float32",
}

CPU_LOADERS = 1 if (os.cpu_count() or 1) > 1 else 0
"""Worker processes for a CPU with a spare core: without one, a fifth of each step was spent waiting."""

TRAINING_OPTIONS = frozenset(one.name for one in fields(SFTConfig))

OPEN: dict[str, tuple[str, ...]] = {
    "checkpointing": tuple(name for name in compatibility.SWITCH if name in TRAINING_OPTIONS),
    "batch": ("per_device_train_batch_size", "gradient_accumulation_steps"),
    "learning_rate": ("learning_rate",),
}
"""What the card or the length of the run decides → options by which the user does."""

LONG_RUN = 5_000
"""Pages from which a run on a card takes larger steps, which keep it busy: at least 156 steps.
Shorter ones learn less in as many pages: one pass over the demo, 1,000 pages, was not enough."""

LONG_STEP, LONG_RATE = 32, 2.0
"""Pages of a step of a long run, over all devices, and by how much its learning rate is higher."""

RENAMED = {"--dataset-config": "--corpus", "--out": "--output-dir"}
"""Options of older versions, or of other commands, for which the closest match would be a misleading suggestion."""

SYNONYMS = [old for old, new in compatibility.CHECKPOINTING.items() if new in TRAINING_OPTIONS]
"""Old names of options that the installed transformers accepts under two names."""

Arguments = tuple[PsgArguments, SFTConfig, ModelConfig]


def parse(argv: Sequence[str]) -> Arguments:
    """Parse the command line and its ``--config`` file, which the command line overrides.

    Raises
    ------
    BuildError
        If an option is unknown, missing or invalid, or can't be used to train on pages.
    """
    args = [part for arg in argv for part in _spelt(arg)]
    parser = _parser()
    requested = _requested(args)
    parser.set_defaults_with_config(**_defaults(requested))
    try:
        psg, training, model = parser.parse_args_and_config(args)
    except (ValueError, ImportError, TypeError) as error:
        raise BuildError(_unknown(error) or " ".join(str(error).split())) from error
    psg.model = psg.model or model.model_name_or_path or ""
    if not psg.is_tiny and devices.has_card(requested):
        psg.left_open = tuple(
            name
            for name, options in OPEN.items()
            if all(getattr(requested, option, None) is None for option in options)
        )
    if training.dataloader_pin_memory:
        training.accelerator_config.non_blocking = True
    model.model_name_or_path = psg.model
    checks.check(psg, training, model)
    if model.dtype is None:
        model.dtype = _dtype(training, model)
    return psg, training, model


def fit_to_run(options: Arguments, n_rows: int) -> None:
    """Set larger steps for a long run on a card, where the user left them open.

    Parameters
    ----------
    n_rows
        Pages of a training pass.
    """
    psg, training, _ = options
    batch = training.per_device_train_batch_size * training.world_size
    whole = training.max_steps * batch
    n_pages = whole if training.max_steps > 0 else training.num_train_epochs * n_rows
    if "batch" not in psg.left_open or n_pages < LONG_RUN or batch >= LONG_STEP:
        return
    training.per_device_train_batch_size = LONG_STEP // training.world_size
    if "learning_rate" in psg.left_open:
        training.learning_rate *= LONG_RATE


def listed() -> str:
    """Return the help of all options."""
    return str(_parser().format_help())


class _Parser(TrlParser):  # type: ignore[misc]
    """TRL's parser with one-line errors, which also accepts dashes in the names of a config file.

    Options that transformers has renamed are accepted under both names and passed on under the new.
    """

    def error(self, message: str) -> NoReturn:
        raise BuildError(f"{message}; `psgimg sft --help` lists the options")

    def set_defaults_with_config(self, **values: Any) -> list[str]:
        """Set defaults and return the names that are not options."""
        named = {snake(name): value for name, value in values.items()}
        unknown: list[str] = super().set_defaults_with_config(
            **compatibility.training_options(named, TRAINING_OPTIONS)
        )
        return unknown

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the parsed options and the arguments left over."""
        given, rest = super().parse_known_args(args, namespace)
        old = {name: vars(given)[name] for name in SYNONYMS if vars(given)[name] is not None}
        vars(given).update(compatibility.training_options(old, TRAINING_OPTIONS))
        return given, rest


def _parser() -> TrlParser:
    """Return a parser of all options that shows one spelling of each."""
    kinds = (PsgArguments, SFTConfig, ModelConfig)
    parser = _Parser(kinds, prog="psgimg sft", allow_abbrev=False)
    parser.set_defaults(**dict.fromkeys(SYNONYMS))  # TRL sets a default under an old name
    for action in parser._actions:  # affects the help only; parsing accepts both spellings
        action.option_strings = list(dict.fromkeys(map(kebab, action.option_strings)))
    return parser


def _spelt(arg: str) -> list[str]:
    """Spell an argument as TRL expects it: underscores, and ``--config FILE`` as two arguments."""
    if not arg.startswith("--"):
        return [arg]
    name, equals, value = arg.partition("=")
    if name == "--config" and equals:
        return [name, value]
    return [f"--{snake(name[2:])}{equals}{value}"]


def _defaults(requested: argparse.Namespace) -> dict[str, Any]:
    """Return the defaults for the requested kind of training."""
    devices.check(use_cpu=requested.use_cpu, bf16=requested.bf16)
    gpu = torch.accelerator.is_available() and not requested.use_cpu
    loading = {
        "dataloader_pin_memory": gpu,
        "dataloader_num_workers": devices.n_loaders() if gpu else CPU_LOADERS,
    }
    if TINY in (requested.model, requested.model_name_or_path):
        augment = "shift" if requested.context else TINY_RECIPE["augment"]
        return {**DEFAULTS, **loading, **TINY_RECIPE, "augment": augment}
    bf16 = gpu and is_torch_bf16_gpu_available() and devices.computes_bf16()
    return {
        **DEFAULTS,
        **loading,
        **(WHOLE if requested.use_peft is False else ADAPTER),
        "bf16": bf16 and not requested.fp16,
        "fp16": gpu and not bf16 and not requested.bf16,
        "gradient_checkpointing": gpu,  # unless the memory of the card allows to do without
    }


def _requested(args: Sequence[str]) -> argparse.Namespace:
    """Parse the options on which the defaults depend, without the checks that need the defaults."""
    rest, parser = list(args), _parser()
    parser.set_defaults_with_config(
        **dict.fromkeys(["use_peft", "bf16", *itertools.chain(*OPEN.values())])
    )
    if "--config" in rest:
        at = rest.index("--config")
        if not (path := rest[at + 1 : at + 2]):
            raise BuildError("--config: name a YAML file of options")
        del rest[at : at + 2]
        parser.set_defaults_with_config(**read_file(Path(path[0]), has_corpus=True))
    namespace: argparse.Namespace = parser.parse_known_args(rest)[0]
    return namespace


def _unknown(error: Exception) -> str | None:
    """Return a one-line message for unknown options, with the closest matches."""
    message = str(error)
    if "not used by" not in message and "Unknown arguments" not in message:
        return None
    listed = message[message.index("[") : message.rindex("]") + 1]
    words = listed.strip("[]").replace("'", "").split(", ")
    wrong = [kebab(word) for word in words if word[:2] == "--"]
    if wrong and (now := RENAMED.get(wrong[0])):
        return f"unknown option {wrong[0]}: use {now}"
    kinds = (PsgArguments, SFTConfig, ModelConfig)
    names = [flag(one.name) for kind in kinds for one in fields(kind)]
    near = difflib.get_close_matches(wrong[0], names, 2) if wrong else []
    meant = f"; did you mean {' or '.join(near)}?" if near else "; `psgimg sft --help` lists all"
    return f"unknown option {', '.join(wrong) or listed}{meant}"


def _dtype(training: SFTConfig, model: ModelConfig) -> str:
    """Return the precision of the weights: frozen ones may be halved, trained ones need float32."""
    if not model.use_peft:
        return "float32"
    return "bfloat16" if training.bf16 else "float16" if training.fp16 else "float32"
