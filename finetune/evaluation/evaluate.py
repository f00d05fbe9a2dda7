"""Evaluate: from predictions files to metrics with confidence intervals. The main path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder.atomic_file import write_text
from psgimg.builder.errors import BuildError
from psgimg.finetune.evaluation import joining, predictions_file, stage_words
from psgimg.finetune.evaluation.calibration import calibration
from psgimg.finetune.evaluation.caveats import notes
from psgimg.finetune.evaluation.clinical import bins, groups, nights, recordings_table, transitions
from psgimg.finetune.evaluation.clinical.nights import Nights
from psgimg.finetune.evaluation.clinical.transitions import Places
from psgimg.finetune.evaluation.epochs import Epochs, Night, SubjectKey, confusions
from psgimg.finetune.evaluation.interscorer import agreement
from psgimg.finetune.evaluation.intervals import Tables, as_values, finite, intervals
from psgimg.finetune.evaluation.paired import compare
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.metrics.jackknife import FEWEST, LEVEL, METHOD

METRICS, RECORDINGS = "metrics.json", "recordings.csv"


@dataclass(frozen=True)
class EvaluateConfig:
    """Options of `psgimg evaluate`.

    Parameters
    ----------
    files
        Predictions files; each further one is compared with the first, epoch by epoch, or joined to it.
    out
        Output folder; None names it after the first file, beside it.
    join
        Whether the files have disjoint epochs, such as those of folds, and are evaluated as one.
    subjects_table
        Table of subjects, such as BIDS's ``participants.tsv``; None for no groups.
    by
        Columns of it to group by, as of :func:`psgimg.finetune.evaluation.clinical.bins.parse`.
    codes
        Stages of numbers or words, as of :func:`psgimg.finetune.evaluation.stage_words.parse_codes`.
    """

    files: tuple[Path, ...]
    out: Path | None = None
    join: bool = False
    subjects_table: Path | None = None
    by: str | None = None
    codes: str | None = None

    def __post_init__(self) -> None:
        if not self.files:
            raise BuildError("no predictions file given; name at least one")
        if (self.subjects_table is None) != (self.by is None):
            given, other = ("--by", "--subjects-table FILE")
            if self.by is None:
                given, other = ("--subjects-table", "--by, such as --by age,sex,ahi")
            raise BuildError(f"{given} needs {other}")
        if self.by is not None:
            bins.parse(self.by)
        _ = self.stages_of

    @property
    def stages_of(self) -> Codes:
        """Stages of numbers and words by ``codes``; empty without."""
        return stage_words.parse_codes(self.codes) if self.codes else {}

    @property
    def folder(self) -> Path:
        """Output folder."""
        kind = "joined-evaluation" if self.join else "evaluation"
        return self.out or self.files[0].with_name(f"{self.files[0].stem}-{kind}")


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
    """

    values: dict[str, Any]
    first: Epochs
    others: tuple[Epochs, ...]

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
    joined = None
    if config.join:
        first, joined = joining.read(config.files, _names(config.files), config.stages_of)
        others: list[Epochs] = []
    else:
        first, *others = [predictions_file.read(path, config.stages_of) for path in config.files]
    subjects = first.subjects()
    tables = confusions(subjects, first.label, first.prediction)
    names = _names(config.files)
    compared, places = nights.of(first), transitions.places(first)
    values: dict[str, Any] = {
        "psgimg": version("psgimg"),
        "file": names[0],
        "source": first.source,
        "joined": joined.values() if joined else None,
        "counts": _counts(list(subjects), tables, first),
        "interval": {"over": "subjects", "method": METHOD, "level": LEVEL, "fewest": FEWEST},
        "pooled": _pooled(tables),
        "by_corpus": _by_corpus(subjects, tables, first),
        "subjects": _subjects(subjects, tables),
        "recordings": _recordings(first, compared, places),
        "nights": nights.summary(first, compared),
        "transitions": transitions.transitions(first, places),
        "groups": _groups(first, tables, compared, config),
        "calibration": calibration(first.label, first.probabilities),
        "scorers": agreement(first),
        "comparisons": [
            {"file": name, "source": other.source}
            | compare(first, other)
            | {"nights": nights.figures(nights.of(other))}
            for name, other in zip(names[1:] if others else [], others, strict=True)
        ],
    }
    clinical = [*nights.notes(values), *groups.notes(values["groups"])]
    values |= {"notes": [*(joined.notes() if joined else ()), *notes(first, values, clinical)]}
    return Evaluation(finite(values), first, tuple(others))


def write(out: Path, evaluation: Evaluation) -> Path:
    """Write ``metrics.json`` and ``recordings.csv``; the same predictions give the same bytes.

    Returns
    -------
    Path of ``metrics.json``.
    """
    path = out / METRICS
    write_text(out / RECORDINGS, recordings_table.text(evaluation.values["recordings"]))
    text = json.dumps(evaluation.values, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, f"{text}\n")
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


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the file names, prefixed with as many parent folders as needed to be unique."""
    most = max(len(path.parts) for path in paths)
    for n in range(1, most + 1):
        names = [Path(*path.parts[-n:]).as_posix() for path in paths]
        if len(set(names)) == len(set(paths)):
            return names
    return [path.as_posix() for path in paths]
