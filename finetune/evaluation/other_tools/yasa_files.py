"""YASA files: hypnograms as YASA 0.7 and later, and users of earlier versions, save them.

Formats by YASA 0.8 (``yasa/hypno.py``, ``yasa/staging.py``), from files that it wrote:

- JSON of ``Hypnogram.to_json``: ``values``, ``n_stages``, ``freq``, ``proba``;
- CSV of ``Hypnogram.hypno.to_csv``: ``Epoch`` (or ``Time``) and a column of stages, named after the
  scorer; of ``as_events``: ``onset``, ``duration``, ``value``, ``description``; of ``as_int``; and of
  ``proba`` or, before 0.7, ``SleepStaging.predict_proba``: a column of probabilities for each stage.

Stages are WAKE or W, N1, N2, N3, REM or R, or their numbers 0 to 4; ART (-1) and UNS (-2) are none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.other_tools import staged
from psgimg.finetune.evaluation.other_tools.staged import EPOCH_S, Probabilities, Staged
from psgimg.finetune.metrics.metrics import NO_ANSWER

SUFFIXES = (".json", ".csv", ".tsv", ".txt")
STAGES: Mapping[str, int] = {
    **{name: i for i, name in enumerate(STAGE_NAMES)},
    **{str(i): i for i in range(len(STAGE_NAMES))},
    "WAKE": 0,
    "R": 4,
    "ART": NO_ANSWER,
    "UNS": NO_ANSWER,
    "-1": NO_ANSWER,
    "-2": NO_ANSWER,
}
WORDS = (("WAKE", "W"), ("N1",), ("N2",), ("N3",), ("REM", "R"))
"""Names of the columns of probabilities."""


def read(path: Path) -> list[Staged]:
    """Read a file of YASA's.

    Raises
    ------
    BuildError
        If it is none, its epochs do not last 30 s, or it has other than five stages.
    """
    return staged.read(path, _json if path.suffix == ".json" else _text)


def _json(path: Path) -> list[Staged]:
    values = bounded.read_json(path)
    if not isinstance(values, dict) or not isinstance(values.get("values"), list):
        raise TypeError("no values of a hypnogram")
    if values.get("n_stages") != len(STAGE_NAMES):
        raise BuildError(f"{path}: {values.get('n_stages')} stages; stage into five with YASA")
    _check_length(_seconds(values.get("freq")), path)
    stages = staged.codes([str(word) for word in values["values"]], STAGES, path)
    odds = _probabilities(values["proba"], path) if values.get("proba") else None
    if odds is not None and len(odds) != len(stages):
        raise ValueError(f"{len(odds)} probabilities of {len(stages)} epochs")
    return [Staged(path, path.stem, stages, odds)]


def _seconds(freq: Any) -> float:
    """Return the length of epochs in seconds, from pandas's words for it: ``30s``, ``1min``."""
    found = re.fullmatch(r"(\d*\.?\d*)\s*(s|S|sec|min|T)", str(freq))
    if not found:
        raise ValueError(f"the freq {freq!r}")
    return float(found[1] or 1) * (60 if found[2] in ("min", "T") else 1)


def _text(path: Path) -> list[Staged]:
    rows = staged.table(path)
    head = rows[0]
    if len(head) == 1 and head[0] in STAGES:  # stages alone, without a head
        return [Staged(path, path.stem, staged.codes([row[0] for row in rows], STAGES, path))]
    if all(set(names) & set(head) for names in WORDS):
        columns = {name: staged.column(rows, head.index(name)) for name in head if name}
        odds = _probabilities(columns, path)
        return [Staged(path, path.stem, staged.likeliest(odds), odds)]
    if "duration" in head:
        lengths_s = np.array(staged.column(rows, head.index("duration")), np.float64)
        for length_s in lengths_s[lengths_s != EPOCH_S][:1]:
            _check_length(float(length_s), path)
    named = [name for name in ("description", "Stage", "stage") if name in head]
    place = head.index(named[0]) if named else len(head) - 1
    return [Staged(path, path.stem, staged.codes(staged.column(rows, place), STAGES, path))]


def _probabilities(columns: Mapping[str, Sequence[Any]], path: Path) -> Probabilities:
    """Return (n, 5) probabilities from columns by name; empty cells are NaN."""
    own = [next((columns[name] for name in names if name in columns), None) for names in WORDS]
    if None in own:
        raise ValueError(f"no probabilities of {', '.join(STAGE_NAMES)}")
    numbers = [[np.nan if cell in ("", None) else float(cell) for cell in one or ()] for one in own]
    return staged.normalised(np.stack(numbers, axis=1), path)


def _check_length(length_s: float, path: Path) -> None:
    if length_s != EPOCH_S:
        raise BuildError(
            f"{path}: epochs of {length_s:g} s; save the hypnogram before it is resampled, with "
            f"epochs of {EPOCH_S:g} s"
        )
