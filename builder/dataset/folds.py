"""Folds: the table of subjects and the fold in which each is held out, for cross-validation."""

from __future__ import annotations

import csv
import io

from psgimg.builder.dataset.build_json import BuildFacts
from psgimg.builder.dataset.splits import fold


def text(values: BuildFacts) -> str:
    """Return a CSV text with one line per subject and the fold in which it is held out."""
    n_folds, seed = values["folds"], values["fixed"]["seed"]
    subjects = sorted(
        {(fact["corpus"], fact["subject"], fact["kin"]) for fact in values["recordings"]}
    )
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("corpus", "subject", "fold"))
    writer.writerows(
        (name, subject, fold(name, kin, n_folds, seed)) for name, subject, kin in subjects
    )
    return lines.getvalue()
