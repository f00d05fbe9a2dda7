"""Training report: settings, versions and log of a training as ``training.json``, and its curves."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.files import bounded
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.plotting import LINE_COLOURS, figure, png

FILE = "training.json"
PICTURE = "training.png"


def write(folder: Path, values: Mapping[str, Any], log: Sequence[Mapping[str, float]]) -> None:
    """Write ``training.json`` and the picture of the curves.

    Parameters
    ----------
    values
        Settings, versions and counts, as JSON values.
    log
        Entries logged by the trainer, in order, each with a ``step``.
    """
    contents = _portable({**values, "log": list(log)})
    text = json.dumps(contents, indent=1, default=str, allow_nan=False)
    atomic_file.write_text(folder / FILE, text + "\n")
    _picture(folder / PICTURE, log)


def read(folder: Path) -> dict[str, Any]:
    """Return the contents of ``training.json``; empty if there is none."""
    try:
        contents = bounded.read_json(folder / FILE)
    except (OSError, ValueError):
        return {}
    return contents if isinstance(contents, dict) else {}


def split_to_predict(record: Mapping[str, Any]) -> str:
    """Return the split to predict first: the test split, unless the dataset has none.

    Parameters
    ----------
    record
        Contents of ``training.json``; without ``splits`` in one of an earlier version.
    """
    splits = record.get("splits", [SPLITS[-1]])
    return next(split for split in reversed(SPLITS) if split in splits)


def pages_to_predict(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the options of `psgimg predict` for the pages to predict first.

    Parameters
    ----------
    record
        Contents of ``training.json``.
    """
    fold = record.get("psgimg", {}).get("fold")
    return {"split": split_to_predict(record)} | ({} if fold is None else {"fold": str(fold)})


def _portable(value: Any) -> Any:
    """Return a value as JSON, with NaN as null and only the last part of local paths."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value]
    if isinstance(value, str | Path) and (Path(value).is_absolute() or os.path.lexists(value)):
        return Path(value).name
    return value


def curve(log: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    """Return the steps and finite values logged under a key."""
    points = [(entry["step"], entry[key]) for entry in log if key in entry]
    points = [(step, value) for step, value in points if math.isfinite(value)]
    return [step for step, _ in points], [value for _, value in points]


def _picture(path: Path, log: Sequence[Mapping[str, float]]) -> None:
    drawn = figure(7, 5)
    losses, staging = drawn.subplots(2, 1, sharex=True)
    for key, name, colour in (
        ("loss", "training", "#777777"),
        ("eval_loss", "validation", "#000000"),
    ):
        losses.plot(*curve(log, key), label=name, color=colour, marker=".", markersize=3)
    losses.set(ylabel="loss per token", ylim=(0, None))
    for metric, colour in zip(metric_table.headline(), cycle(LINE_COLOURS)):
        points = curve(log, f"eval_{metric.key}")
        staging.plot(*points, label=metric.short, color=colour, marker=".", markersize=3)
    lowest = min((0.0, *(value for line in staging.lines for value in line.get_ydata())))
    staging.set(ylabel="on the validation split", xlabel="step", ylim=(lowest - 0.02, 1.02))
    for axes in (losses, staging):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_file.whole(path) as temporary:
        temporary.write_bytes(png(drawn))
