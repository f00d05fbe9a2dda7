"""Recordings table: the figures of every recording as CSV, one row each."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from psgimg.finetune.evaluation.clinical.measures import MEASURES

PARTS = ("scored", "predicted", "error")


def text(recordings: Sequence[Mapping[str, Any]]) -> str:
    """Return the recordings of ``metrics.json`` as CSV; a field is empty where undefined.

    Minutes and percentages are rounded to four decimals, of which less than a second is left.
    """
    buffer = io.StringIO()
    rows = [_row(recording) for recording in recordings]
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _row(recording: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: value for name, value in recording.items() if name != "sleep"}
    sleep = recording["sleep"] or {}
    for measure in MEASURES:
        figures = sleep.get(measure.key, {})
        row |= {f"{measure.key}_{part}": figures.get(part) for part in PARTS}
    return {
        name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()
    }
