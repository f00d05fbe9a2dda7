"""Evaluate: from predictions files to metrics with confidence intervals. The main path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from psgimg.builder import atomic_file
from psgimg.finetune.evaluation import decoded_nights
from psgimg.finetune.evaluation.caveats import notes
from psgimg.finetune.evaluation.clinical import bins, groups, nights, recordings_table, transitions
from psgimg.finetune.evaluation.clinical.irregular import irregular
from psgimg.finetune.evaluation.clinical.nights import Nights
from psgimg.finetune.evaluation.clinical.transitions import Places
from psgimg.finetune.evaluation.epochs import Epochs, Night, SubjectKey, confusions
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.evaluation.inputs import read
from psgimg.finetune.evaluation.interscorer import agreement, each_against_others
from psgimg.finetune.evaluation.intervals import Tables, as_values, finite, intervals
from psgimg.finetune.evaluation.paired import compare
from psgimg.finetune.evaluation.uncertainty import combining
from psgimg.finetune.evaluation.uncertainty.disagreement import finds_scorers
from psgimg.finetune.evaluation.uncertainty.review import review
from psgimg.finetune.metrics import metric_table, metrics, table_files
from psgimg.finetune.metrics.calibration import calibration
from psgimg.finetune.metrics.jackknife import FEWEST, LEVEL, METHOD

METRICS, RECORDINGS = "metrics.json", "recordings.csv"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of one or more predictions files.

    Parameters
    ----------
    values
        Contents of ``metrics.json``: JSON values, None where undefined.
    first
        Epochs of the first file.
    others
        Epochs of the files compared with it, in the order of ``values["comparisons"]``.
    made
        Name and table of the predictions file that is written with the report; None if there is none.
    """

    values: dict[str, Any]
    first: Epochs
    others: tuple[Epochs, ...]
    made: tuple[str, pa.Table] | None = None

    @property
    def nights(self) -> list[Night]:
        """Recordings of the first file, in the order of ``values["recordings"]``."""
        return list(self.first.nights())

    @property
    def notes(self) -> list[str]:
        """Caveats for the reader, one line each."""
        lines: list[str] = self.values["notes"]
        return lines


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Compute all metrics of one or more predictions files, without writing anything.

    Raises
    ------
    BuildError
        If a file is not a valid predictions file, two files that are compared do not cover the same
        epochs, or an epoch is in two files that are joined.
    """
    inputs = read(config)
    first, others, joined = inputs.first, inputs.others, inputs.joined
    ensemble = inputs.combination
    subjects = first.subjects()
    tables = confusions(subjects, first.label, first.prediction)
    compared, places = nights.of(first), transitions.places(first)
    values: dict[str, Any] = {
        "psgimg": version("psgimg"),
        "file": inputs.name,
        "source": first.source,
        "joined": joined.values() if joined else None,
        "combined": combining.values(ensemble) if ensemble else None,
        "counts": _counts(list(subjects), tables, first),
        "interval": {"over": "subjects", "method": METHOD, "level": LEVEL, "fewest": FEWEST},
        "pooled": _pooled(tables),
        "by_corpus": _by_corpus(subjects, tables, first),
        "subjects": _subjects(subjects, tables),
        "recordings": _recordings(first, compared, places),
        "nights": nights.summary(first, compared),
        "transitions": transitions.transitions(first, places) | {"irregular": irregular(first)},
        "decoded": decoded_nights.effect(first),
        "groups": _groups(first, tables, compared, config),
        "calibration": calibration(first.label, first.probabilities),
        "review": review(first),
        "scorers": agreement(first),
        "people": each_against_others(first),
        "doubt": finds_scorers(first, ensemble.probabilities if ensemble else None),
        "comparisons": [
            {"file": name, "source": other.source}
            | compare(first, other)
            | {"nights": nights.figures(nights.of(other))}
            for name, other in zip(inputs.names, others, strict=True)
        ],
    }
    clinical = [*nights.notes(values), *groups.notes(values["groups"])]
    values |= {"notes": [*inputs.notes, *notes(first, values, clinical)]}
    made = None if inputs.made is None else (inputs.name, inputs.made)
    return Evaluation(finite(values), first, others, made)


def write(out: Path, evaluation: Evaluation) -> Path:
    """Write ``metrics.json``, ``recordings.csv`` and the predictions that were made, if any.

    The same predictions give the same bytes.

    Returns
    -------
    Path of ``metrics.json``.
    """
    path = out / METRICS
    text = json.dumps(evaluation.values, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_file.write_text(path, f"{text}\n")  # first, as it marks the folder
    rows = recordings_table.text(evaluation.values["recordings"])
    atomic_file.write_text(out / RECORDINGS, rows)
    if evaluation.made is not None:
        name, table = evaluation.made
        beside = json.dumps(evaluation.first.source, indent=1, ensure_ascii=False)
        atomic_file.write_text(out / f"{name}.json", f"{beside}\n")
        with atomic_file.whole(out / name) as temporary:
            table_files.write(temporary, table, Path(name).suffix)
    return path


def _pooled(tables: Tables) -> dict[str, Any]:
    return {"figures": as_values(intervals(tables)), "confusion": tables.sum(0).tolist()}


def _counts(keys: Sequence[SubjectKey], tables: Tables, data: Epochs) -> dict[str, int]:
    """Count epochs, recordings and missing answers of some subjects, given their tables."""
    subjects = set(keys)
    return {
        "epochs": int(tables.sum()),
        "recordings": sum((key.corpus, key.subject) in subjects for key in data.recordings),
        "subjects": len(keys),
        "no_answer": int(tables[..., metrics.N_STAGES].sum()),
    }


def _by_corpus(subjects: dict[SubjectKey, slice], tables: Tables, data: Epochs) -> dict[str, Any]:
    """Return counts and pooled metrics of each corpus; empty if there is only one."""
    corpora = sorted({key.corpus for key in subjects})
    if len(corpora) < 2:
        return {}
    values = {}
    for corpus in corpora:
        keys = [key for key in subjects if key.corpus == corpus]
        own = tables[[key.corpus == corpus for key in subjects]]
        values[corpus] = {"counts": _counts(keys, own, data)} | _pooled(own)
    return values


def _subjects(subjects: dict[SubjectKey, slice], tables: Tables) -> list[dict[str, Any]]:
    rows = []
    for key, table in zip(subjects, tables, strict=True):
        figures = {metric.key: metric.of(table) for metric in metric_table.headline()}
        rows.append({**key._asdict(), "epochs": int(table.sum())} | figures)
    return rows


def _groups(
    data: Epochs, tables: Tables, compared: Nights, config: EvaluateConfig
) -> dict[str, Any] | None:
    """Return the figures by groups of subjects; None without a table of subjects."""
    if config.subjects_table is None or config.by is None:
        return None
    columns = bins.parse(config.by)
    return groups.by_group(data, tables, compared, config.subjects_table, columns)


def _recordings(data: Epochs, compared: Nights, places: Places) -> list[dict[str, Any]]:
    """Return a row per recording; ``missing`` counts absent epochs between its first and last."""
    rows = []
    more = zip(transitions.by_recording(data, places), compared.rows(), strict=True)
    for (key, where), (own, sleep) in zip(data.parts(), more, strict=True):
        table = metrics.confusion(data.label[where], data.prediction[where])
        n, epoch = int(table.sum()), data.epoch[where]
        counts = {
            "epochs": n,
            "no_answer": int(table[:, metrics.N_STAGES].sum()),
            "missing": int(epoch[-1] - epoch[0]) + 1 - n,
        }
        rows.append({**key._asdict(), **counts, **metric_table.summary(table), **own, **sleep})
    return rows
