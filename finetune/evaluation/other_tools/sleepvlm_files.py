"""SleepVLM files: the ``results.jsonl`` of SleepVLM's inference, a line per epoch.

By its source (``sleepvlm/inference/predict.py``): ``custom_id`` is ``SUBJECT#EPOCH_STAGE`` with the
scorer's stage, ``sub_id`` the subject, ``pred`` 0 to 4 for W, N1, N2, N3, REM, and -1 where its answer was
not understood. It numbers the epochs that have a stage from 0, leaving out the others, and stages neither
the first nor the last. ``output``, the model's own text, is not read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from psgimg.builder.files import bounded
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.other_tools import staged
from psgimg.finetune.evaluation.other_tools.staged import FILE, MOST_EPOCHS, Staged
from psgimg.finetune.metrics.metrics import N_STAGES, NO_ANSWER

SUFFIXES = (".jsonl",)
STAGES = {**{name: i for i, name in enumerate(STAGE_NAMES)}, "R": 4}
ID = re.compile(r"(?P<subject>.+)#(?P<epoch>\d{1,6})_(?P<stage>[A-Z0-9]+)")


def read(path: Path) -> list[Staged]:
    """Read results of SleepVLM, which have several recordings.

    Raises
    ------
    BuildError
        If it is none, or has an epoch twice.
    """
    return staged.read(path, _lines)


def _lines(path: Path) -> list[Staged]:
    epochs: dict[str, dict[int, tuple[int, int]]] = {}
    for number, subject, epoch, both in _results(path):
        if epochs.setdefault(subject, {}).setdefault(epoch, both) is not both:
            raise ValueError(f"line {number}: epoch {epoch} of {subject} is there twice")
    found = []
    for subject, own in epochs.items():
        table = np.full((max(own) + 1, 2), NO_ANSWER)
        table[list(own)] = list(own.values())
        found.append(Staged(path, subject, table[:, 0], scored=table[:, 1]))
    return found


def _results(path: Path) -> Iterator[tuple[int, str, int, tuple[int, int]]]:
    """Yield line number, subject, epoch, and predicted and scored stage of each line."""
    text = bounded.read_text(path, FILE)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        values = bounded.loads(line, f"line {number}")
        if not isinstance(values, dict):
            raise TypeError(f"line {number}: no JSON object")
        named = ID.fullmatch(str(values.get("custom_id")))
        if not named or named["stage"] not in STAGES or int(named["epoch"]) >= MOST_EPOCHS:
            raise ValueError(f"line {number}: the custom_id {values.get('custom_id')!r}")
        predicted = values.get("pred")
        if type(predicted) is not int or not NO_ANSWER <= predicted < N_STAGES:
            raise ValueError(f"line {number}: the pred {predicted!r}")
        subject = named["subject"].rpartition("/")[2]
        yield number, subject, int(named["epoch"]), (predicted, STAGES[named["stage"]])
