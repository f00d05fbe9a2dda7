"""Checkpoints: from which one training resumes, with which settings, and errors of training."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, durable, ownership
from psgimg.builder.processes import termination
from psgimg.finetune.inference import earlier_settings
from psgimg.finetune.models import manifest as folders
from psgimg.finetune.models import saving
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

YES = ("true", "yes", "1", "last")
NO = ("false", "no", "0")
STATE = "trainer_state.json"
MODEL_FILES = (
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "model.safetensors.index.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "training.json",
    "training.png",
    "training_args.bin",
    "vocab.json",
)
"""Files that a training writes into its folder, as do others who keep a model in one."""

DEBUG = "PSGIMG_DEBUG"
VALUE_WIDTH, ERROR_WIDTH = 40, 400


def to_resume(out: Path, requested: str | bool | None) -> str | None:
    """Return the checkpoint to resume from; None to start from the beginning.

    Parameters
    ----------
    requested
        A checkpoint folder, or ``true`` for the last one in ``out``.

    Raises
    ------
    BuildError
        If there is no such checkpoint, or a new training would overwrite another.
    """
    last = _last(out)
    value = str(requested).lower()
    if requested is None or value in NO:
        if last is not None or (out / folders.FILE).exists():
            raise BuildError(
                f"{out} holds a training already; resume it with --resume-from-checkpoint "
                "true, or choose another --output-dir"
            )
        _refuse_foreign(out)
        return None
    checkpoint = (str(last) if last else None) if value in YES else str(requested)
    if checkpoint is None or not _is_complete(Path(checkpoint)):
        raise BuildError(
            f"no checkpoint in {out if value in YES else requested}; leave out "
            "--resume-from-checkpoint to start from the beginning"
        )
    _refuse_foreign(out)  # the checkpoint may be in another folder
    return checkpoint


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder with a model of the user, which no training of psgimg has begun to write."""
    begun = any((out / name).is_file() for name in (folders.SETTINGS_FILE, folders.FILE))
    ownership.refuse_foreign(out, MODEL_FILES, MODEL_FILES if begun else (), "--output-dir")


def begin(
    out: Path, settings: Mapping[str, Any], resume: str | None, defaults: Mapping[str, Any]
) -> None:
    """Save the settings of a training; one that is resumed must have the same.

    Parameters
    ----------
    settings
        Everything that determines the weights, as JSON values.
    resume
        The checkpoint to resume from; None to start from the beginning.
    defaults
        What a setting was before there was a choice, by its key.

    Raises
    ------
    BuildError
        If the settings of the checkpoint are different or unknown, or the folder can't be written.
    """
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if resume is not None:
        checkpoint = Path(resume).resolve()
        now = bounded.loads(text, "the settings")
        before = earlier_settings.completed(_settings(checkpoint), now, defaults)
        _compare(checkpoint.name, before, now)
    # The checkpoint may be in another folder; the next ones are saved in this one.
    atomic_file.write_text(out / folders.SETTINGS_FILE, text)


@contextmanager
def one_line_errors(out: Path, training: Any) -> Iterator[None]:
    """Turn interruptions and failures of training into one-line errors with a remedy.

    Raises
    ------
    BuildError
        For an interruption, lack of memory, a full disk, and errors of libraries, for example about
        an option they can't use. With ``PSGIMG_DEBUG`` set, the latter are raised unchanged.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        number = termination.number_of(error)
        status = termination.status(number)
        raise BuildError(termination.message(number, _remedy(out)), status) from error
    except torch.OutOfMemoryError as error:
        size = training.per_device_train_batch_size
        raise BuildError(
            f"out of memory on {training.device}; halve --per-device-train-batch-size (now {size}) "
            "and double --gradient-accumulation-steps, or use --gradient-checkpointing true, "
            "--max-pixels, or --load-in-4bit true"
        ) from error
    except BuildError:
        raise
    except Exception as error:  # of any library below
        system = saving.system_error(error)
        if system is not None and system.errno in durable.FULL:
            raise BuildError(
                f"the disk is full at {out}; free some space there; {_remedy(out)}"
            ) from error
        if os.environ.get(DEBUG):
            raise
        raise BuildError(f"{_one_line(error)}; set {DEBUG}=1 to see where") from error


def _settings(checkpoint: Path) -> dict[str, Any]:
    """Read the settings of the training that saved a checkpoint."""
    path = checkpoint.parent / folders.SETTINGS_FILE
    try:
        settings = bounded.read_json(path)
    except (OSError, ValueError):
        settings = None
    if not isinstance(settings, dict):
        raise BuildError(
            f"{checkpoint.name} can't be resumed: {path} does not record the settings it was saved "
            "with; use another --output-dir to start from the beginning"
        )
    return settings


def _compare(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise BuildError if the settings have changed since a checkpoint, naming those that have."""
    changed = [
        f"{key} {_short(before, key)}, now {_short(now, key)}"
        for key in earlier_settings.changed(before, now)
    ]
    if changed:
        raise BuildError(
            f"{name} was saved with other settings ({'; '.join(changed)}); use the same ones, or "
            "another --output-dir to start from the beginning"
        )


def _short(settings: Mapping[str, Any], key: str) -> str:
    """Format a setting for a message, shortened."""
    if key not in settings:
        return "not set"
    value = settings[key]
    text = value if isinstance(value, str) and value else json.dumps(value, sort_keys=True)
    line = " ".join(text.split())
    return line if len(line) <= VALUE_WIDTH else f"{line[: VALUE_WIDTH - 1]}…"


def _remedy(out: Path) -> str:
    """Return how a training goes on that was ended before its time."""
    if last := _last(out):
        return f"resume from {last.name} with the same command and --resume-from-checkpoint true"
    return "no checkpoint was saved yet, so start again; --save-steps saves more often"


def _one_line(error: Exception) -> str:
    """Return an error as one line, shortened except for CUDA's, which is needed whole to look it up."""
    text = " ".join(str(error).split()) or "no message"
    line = text if "CUDA" in text else textwrap.shorten(text, ERROR_WIDTH, placeholder=" …")
    return f"training failed, {type(error).__name__}: {line.rstrip('.')}"


def _last(out: Path) -> Path | None:
    """Return the last complete checkpoint of a folder; a killed process leaves an incomplete one."""
    checkpoints = (
        path
        for path in out.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
        if path.name.rpartition("-")[2].isdecimal() and _is_complete(path)
    )
    return max(checkpoints, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_complete(checkpoint: Path) -> bool:
    """Return whether the file that the trainer writes last exists and is complete."""
    try:
        bounded.read_json(checkpoint / STATE)
    except (OSError, ValueError):
        return False
    return True
