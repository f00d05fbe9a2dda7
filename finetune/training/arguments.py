"""Arguments: what `psgimg sft` is told. TRL's own options, a few of ours, and defaults for this task."""

from __future__ import annotations

import argparse
import difflib
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
from psgimg.finetune.training import checks
from psgimg.finetune.training.psg_arguments import PsgArguments
from transformers.utils import is_torch_bf16_gpu_available
from trl import ModelConfig, SFTConfig, TrlParser

DEFAULTS: dict[str, Any] = {
    "output_dir": "psg-model",
    "max_length": None,  # a cut would go through the image tokens
    "eval_strategy": "steps",
    "eval_steps": 0.1,
    "save_steps": 0.1,
    "save_total_limit": 2,
    "dtype": None,  # decided once it is known whether all weights learn
    "lr_scheduler_type": "cosine",
}

PRETRAINED = {"num_train_epochs": 1, "warmup_steps": 0.03}
ADAPTER = {**PRETRAINED, "use_peft": True, "learning_rate": 1e-4}
WHOLE = {**PRETRAINED, "use_peft": False, "learning_rate": 1e-5}

# Found on the demo and on a night of Sleep-EDF, in float32 on a CPU.
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

GPU_LOADERS = 4
"""Processes that decode pages for a GPU, which learns faster than one of them decodes."""

CPU_LOADERS = 1 if (os.cpu_count() or 1) > 1 else 0
"""For a CPU with a core to spare: measured, a fifth of a step was spent waiting without one."""

RENAMED = {"--dataset-config": "--corpus"}
"""Options by a name that the nearest known one would be mistaken for."""

TRAINING_OPTIONS = frozenset(one.name for one in fields(SFTConfig))

SYNONYMS = [old for old, new in compatibility.CHECKPOINTING.items() if new in TRAINING_OPTIONS]
"""Options that this transformers knows by two names: the old ones."""

Arguments = tuple[PsgArguments, SFTConfig, ModelConfig]


def parse(argv: Sequence[str]) -> Arguments:
    """Read command line and ``--config`` file; the command line wins, defaults come last.

    Raises
    ------
    BuildError
        If an option is unknown, missing, or one that pages can't be learned with.
    """
    args = [part for arg in argv for part in _spelt(arg)]
    parser = _parser()
    parser.set_defaults_with_config(**_defaults(args))
    try:
        psg, training, model = parser.parse_args_and_config(args)
    except (ValueError, ImportError, TypeError) as error:
        raise BuildError(_unknown(error) or " ".join(str(error).split())) from error
    psg.model = psg.model or model.model_name_or_path or ""
    model.model_name_or_path = psg.model
    checks.check(psg, training, model)
    if model.dtype is None:
        model.dtype = _dtype(training, model)
    return psg, training, model


def listed() -> str:
    """All options with their help."""
    return str(_parser().format_help())


class _Parser(TrlParser):  # type: ignore[misc]
    """TRL's parser: files spell options with dashes too, and a refusal is one line.

    Options that transformers has renamed are taken by either name, and passed on by the new one.
    """

    def error(self, message: str) -> NoReturn:
        raise BuildError(f"{message}; `psgimg sft --help` lists the options")

    def set_defaults_with_config(self, **values: Any) -> list[str]:
        """Set defaults; the names that are no option."""
        named = {snake(name): value for name, value in values.items()}
        unknown: list[str] = super().set_defaults_with_config(
            **compatibility.training_options(named, TRAINING_OPTIONS)
        )
        return unknown

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What is given, and what is left over."""
        given, rest = super().parse_known_args(args, namespace)
        old = {name: vars(given)[name] for name in SYNONYMS if vars(given)[name] is not None}
        vars(given).update(compatibility.training_options(old, TRAINING_OPTIONS))
        return given, rest


def _parser() -> TrlParser:
    """TRL's parser of all options, which shows one spelling of each."""
    kinds = (PsgArguments, SFTConfig, ModelConfig)
    parser = _Parser(kinds, prog="psgimg sft", allow_abbrev=False)
    parser.set_defaults(**dict.fromkeys(SYNONYMS))  # TRL sets one of them, under its old name
    for action in parser._actions:  # what is parsed is looked up elsewhere, under either spelling
        action.option_strings = list(dict.fromkeys(map(kebab, action.option_strings)))
    return parser


def _spelt(arg: str) -> list[str]:
    """A word with its option spelt as TRL does; ``--config=FILE`` in two, as TRL takes it."""
    if not arg.startswith("--"):
        return [arg]
    name, equals, value = arg.partition("=")
    if name == "--config" and equals:
        return [name, value]
    return [f"--{snake(name[2:])}{equals}{value}"]


def _defaults(args: Sequence[str]) -> dict[str, Any]:
    """Defaults for the kind of training that is asked for."""
    asked = _asked(args)
    gpu = torch.accelerator.is_available() and not asked.use_cpu
    loading = {
        "dataloader_pin_memory": gpu,
        "dataloader_num_workers": GPU_LOADERS if gpu else CPU_LOADERS,
    }
    if TINY in (asked.model, asked.model_name_or_path):
        augment = "shift" if asked.context else TINY_RECIPE["augment"]
        return {**DEFAULTS, **loading, **TINY_RECIPE, "augment": augment}
    bf16 = gpu and is_torch_bf16_gpu_available()
    return {
        **DEFAULTS,
        **loading,
        **(WHOLE if asked.use_peft is False else ADAPTER),
        "bf16": bf16 and not asked.fp16,
        "fp16": gpu and not bf16 and not asked.bf16,
        "gradient_checkpointing": gpu,
    }


def _asked(args: Sequence[str]) -> argparse.Namespace:
    """What decides on the defaults, without the checks that hang on them."""
    rest, parser = list(args), _parser()
    parser.set_defaults_with_config(use_peft=None)
    if "--config" in rest:
        at = rest.index("--config")
        if not (path := rest[at + 1 : at + 2]):
            raise BuildError("--config: give a YAML file of options")
        del rest[at : at + 2]
        parser.set_defaults_with_config(**read_file(Path(path[0]), has_corpus=True))
    known: argparse.Namespace = parser.parse_known_args(rest)[0]
    return known


def _unknown(error: Exception) -> str | None:
    """One line for options that nobody knows, with those that were perhaps meant."""
    said = str(error)
    if "not used by" not in said and "Unknown arguments" not in said:
        return None
    listed = said[said.index("[") : said.rindex("]") + 1]
    words = listed.strip("[]").replace("'", "").split(", ")
    wrong = [kebab(word) for word in words if word[:2] == "--"]
    if wrong and (now := RENAMED.get(wrong[0])):
        return f"unknown option {wrong[0]}: it is called {now}"
    kinds = (PsgArguments, SFTConfig, ModelConfig)
    known = [flag(one.name) for kind in kinds for one in fields(kind)]
    near = difflib.get_close_matches(wrong[0], known, 2) if wrong else []
    meant = f"; did you mean {' or '.join(near)}?" if near else "; `psgimg sft --help` lists all"
    return f"unknown option {', '.join(wrong) or listed}{meant}"


def _dtype(training: SFTConfig, model: ModelConfig) -> str:
    """Weights that stay as they are may be halved; those that learn in small steps may not."""
    if not model.use_peft:
        return "float32"
    return "bfloat16" if training.bf16 else "float16" if training.fp16 else "float32"
