"""Checkpoints: where a training goes on, and what is said when it can't."""

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
from psgimg.finetune.models import manifest as folders
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

YES = ("true", "yes", "1", "last")
NO = ("false", "no", "0")
STATE = "trainer_state.json"
ASKED = "asked.json"
"""What a training was asked for, beside its checkpoints: it can go on with nothing else."""

DEBUG = "PSGIMG_DEBUG"
FAILURES = (ValueError, ImportError, OSError, RuntimeError, TypeError, KeyError)
VALUE_WIDTH, ERROR_WIDTH = 40, 400


def to_resume(out: Path, asked: str | bool | None) -> str | None:
    """The checkpoint to go on from; None to begin.

    Parameters
    ----------
    asked
        A folder, or ``true`` for the last one in ``out``.

    Raises
    ------
    BuildError
        If there is no such checkpoint, or a new training would write over another.
    """
    last = _last(out)
    answer = str(asked).lower()
    if asked is None or answer in NO:
        if last is not None or (out / folders.FILE).exists():
            raise BuildError(
                f"{out} holds a training already; go on with --resume-from-checkpoint true, or "
                "choose another --output-dir"
            )
        return None
    found = (str(last) if last else None) if answer in YES else str(asked)
    if found is None or not _is_whole(Path(found)):
        raise BuildError(
            f"no checkpoint in {out if answer in YES else asked}; leave out --resume-from-checkpoint "
            "to begin anew"
        )
    return found


def begin(out: Path, settings: Mapping[str, Any], resume: str | None) -> None:
    """Note what a training is asked for; one that goes on must be asked for the same.

    Parameters
    ----------
    settings
        What decides on the weights, as JSON takes it.
    resume
        The checkpoint to go on from; None to begin.

    Raises
    ------
    BuildError
        If the checkpoint was made with other settings or it is not known with which, or the folder
        can't be written.
    """
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if resume is not None:
        checkpoint = Path(resume).resolve()
        _compare(checkpoint.name, _settings(checkpoint), json.loads(text))
    atomic_file.write_text(
        out / ASKED, text
    )  # a checkpoint may lie elsewhere; the next ones lie here


@contextmanager
def told(out: Path, training: Any) -> Iterator[None]:
    """Say in one line how to go on after an interruption or with less memory, or what failed.

    Raises
    ------
    BuildError
        For an interruption, too little memory, and what libraries raise of an option they can't
        use; the last as it is if ``PSGIMG_DEBUG`` is set.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        last = _last(out)
        remedy = (
            f"go on from {last.name} with the same command and --resume-from-checkpoint true"
            if last
            else "no checkpoint was written yet, so begin again; --save-steps saves more often"
        )
        raise BuildError(f"interrupted; {remedy}") from error
    except torch.OutOfMemoryError as error:
        size = training.per_device_train_batch_size
        raise BuildError(
            f"out of memory on {training.device}; halve --per-device-train-batch-size (now {size}) "
            "and double --gradient-accumulation-steps, or give --gradient-checkpointing true, "
            "--max-pixels, or --load-in-4bit true"
        ) from error
    except BuildError:
        raise
    except FAILURES as error:
        if os.environ.get(DEBUG):
            raise
        raise BuildError(f"{_one_line(error)}; {DEBUG}=1 shows where") from error


def _settings(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint's training was asked for."""
    path = checkpoint.parent / ASKED
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = None
    if not isinstance(settings, dict):
        raise BuildError(
            f"{checkpoint.name} can't be gone on from: {path} does not say what settings it was "
            "made with; give another --output-dir to begin anew"
        )
    return settings


def _compare(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [
        f"{key} {_short(before, key)}, now {_short(now, key)}"
        for key in sorted({*before, *now})
        if key not in before or key not in now or before[key] != now[key]
    ]
    if changed:
        raise BuildError(
            f"{name} was made with other settings ({'; '.join(changed)}); give the same ones, or "
            "another --output-dir to begin anew"
        )


def _short(settings: Mapping[str, Any], key: str) -> str:
    """A value as a message shows it."""
    if key not in settings:
        return "not given"
    value = settings[key]
    said = value if isinstance(value, str) and value else json.dumps(value, sort_keys=True)
    line = " ".join(said.split())
    return line if len(line) <= VALUE_WIDTH else f"{line[: VALUE_WIDTH - 1]}…"


def _one_line(error: Exception) -> str:
    """What a library says. CUDA's errors are long, and all of it is needed to look one up."""
    said = " ".join(str(error).split()) or "no message"
    line = said if "CUDA" in said else textwrap.shorten(said, ERROR_WIDTH, placeholder=" …")
    return f"training failed, {type(error).__name__}: {line.rstrip('.')}"


def _last(out: Path) -> Path | None:
    """The last whole checkpoint of a folder: a process may be killed while it writes one."""
    found = (
        path
        for path in out.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
        if path.name.rpartition("-")[2].isdecimal() and _is_whole(path)
    )
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_whole(checkpoint: Path) -> bool:
    """Whether the file that the trainer writes last is there, to its end."""
    try:
        json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
