"""Groups: agreement, and errors of sleep statistics, by groups of subjects such as age, sex or AHI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from psgimg.finetune.evaluation.clinical import bins, nights, subject_table
from psgimg.finetune.evaluation.clinical.bins import By
from psgimg.finetune.evaluation.clinical.nights import Nights
from psgimg.finetune.evaluation.epochs import Epochs, SubjectKey
from psgimg.finetune.evaluation.intervals import Tables, as_values, intervals


def by_group(
    data: Epochs,
    tables: Tables,
    compared: Nights,
    path: Path,
    columns: Sequence[By],
) -> dict[str, Any]:
    """Return the figures of groups of subjects, in the form of ``metrics.json``.

    Parameters
    ----------
    data
        Epochs of the predictions.
    tables
        (n_subjects, 5, 6) a confusion table per subject, in the order of ``data.subjects()``.
    compared
        Sleep statistics of the recordings.
    path, columns
        Table of subjects, and the columns to group by.

    Raises
    ------
    BuildError
        If the table can't be used for these subjects and columns.
    """
    subjects = list(data.subjects())
    place = {one: number for number, one in enumerate(subjects)}  # as in ``compared.subject``
    table = subject_table.read(path, subjects, [by.column for by in columns])
    found = {}
    for by in columns:
        grouping = bins.group(by, table.values[by.column], str(path))
        groups = []
        for name, members in grouping.groups.items():
            chosen = np.zeros(len(subjects), np.bool_)
            chosen[[place[one] for one in members]] = True
            recordings = chosen[compared.subject]
            own = tables[chosen]
            groups.append(
                {
                    "group": name,
                    "subjects": len(members),
                    "recordings": int(recordings.sum()),
                    "epochs": int(own.sum()),
                    "figures": as_values(intervals(own)),
                    "nights": nights.figures(compared, recordings),
                }
            )
        found[by.column] = {
            "edges": None if grouping.edges is None else list(grouping.edges),
            "groups": groups,
        }
    return {
        "file": path.name,
        "absent": len(table.absent),
        "absent_examples": _some(table.absent),
        "matched": table.how,
        "columns": found,
    }


def notes(values: dict[str, Any] | None) -> list[str]:
    """Return the caveats on groups, one line each."""
    if values is None:
        return []
    lines = []
    if values["matched"]:
        lines.append(f"Subjects were matched with {values['file']} {values['matched']}.")
    if n := values["absent"]:
        shown = ", ".join(values["absent_examples"])
        lines.append(
            f"{n:,} {'subject is' if n == 1 else 'subjects are'} not in {values['file']} and "
            f"{'counts' if n == 1 else 'count'} as unknown: {shown}{', …' if n > 3 else ''}."
        )
    return lines


def _some(absent: frozenset[SubjectKey]) -> list[str]:
    return [one.subject for one in sorted(absent)[:3]]
