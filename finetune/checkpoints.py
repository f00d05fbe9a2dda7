"""Checkpoints: where a training goes on, and what is said when it can't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from psgimg.builder.errors import BuildError
from psgimg.finetune import folder as folders
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

YES = ("true", "yes", "1", "last")
NO = ("false", "no", "0")
STATE = "trainer_state.json"


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
                f"{out} holds a training already; go on with --resume_from_checkpoint true, or "
                "choose another --output_dir"
            )
        return None
    found = (str(last) if last else None) if answer in YES else str(asked)
    if found is None or not _is_whole(Path(found)):
        raise BuildError(
            f"no checkpoint in {out if answer in YES else asked}; leave out --resume_from_checkpoint "
            "to begin anew"
        )
    return found


@contextmanager
def told(out: Path, training: Any) -> Iterator[None]:
    """Say in one line how to go on after an interruption, or with less memory."""
    try:
        yield
    except KeyboardInterrupt as error:
        last = _last(out)
        remedy = (
            f"go on from {last.name} with the same command and --resume_from_checkpoint true"
            if last
            else "no checkpoint was written yet, so begin again; --save_steps saves more often"
        )
        raise BuildError(f"interrupted; {remedy}") from error
    except torch.OutOfMemoryError as error:
        size = training.per_device_train_batch_size
        raise BuildError(
            f"out of memory on {training.device}; halve --per_device_train_batch_size (now {size}) "
            "and double --gradient_accumulation_steps, or give --gradient_checkpointing true, "
            "--max_pixels, or --load_in_4bit true"
        ) from error


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
