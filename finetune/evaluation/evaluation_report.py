"""Evaluation report: an evaluation as Markdown, HTML, pictures and LaTeX tables for a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.card import templates
from psgimg.builder.corpora import registry
from psgimg.builder.files import ownership
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import html, hypnograms, latex, plot_evaluation, plot_robustness
from psgimg.finetune.evaluation.clinical import plot_agreement
from psgimg.finetune.evaluation.clinical.measures import MEASURES
from psgimg.finetune.evaluation.epochs import Epochs, confusions
from psgimg.finetune.evaluation.evaluate import METRICS, RECORDINGS, Evaluation
from psgimg.finetune.evaluation.evaluate_config import MADE
from psgimg.finetune.evaluation.intervals import as_values, finite, intervals
from psgimg.finetune.metrics import disclosure, metric_table
from psgimg.finetune.metrics.jackknife import FEWEST

MARKDOWN, HTML, LATEX = "report.md", "report.html", "table.tex"
TEMPLATE, NIGHTS_TEMPLATE = "evaluation.md.j2", "evaluation-nights.md.j2"

CONFUSION, SECOND = "confusion.png", "scorers.png"
SUBJECTS, RELIABILITY = "subjects.png", "reliability.png"
DIFFERENCES, SEVERITY = "differences.png", "severity.png"
AGREEMENT = "bland-altman.png"
HYPNOGRAMS = {name: f"hypnogram-{name}.png" for name in ("only", "best", "median", "worst")}
PICTURES = (
    *(CONFUSION, SECOND, SUBJECTS, RELIABILITY, DIFFERENCES, SEVERITY, AGREEMENT),
    *HYPNOGRAMS.values(),
)

MOST_RECORDINGS = 40
"""Maximum number of recordings listed in the report; ``metrics.json`` has all of them."""

SETTINGS = ("model", "endpoint", "dataset", "split", "mode", "context", "context_scale")
"""Settings quoted in the report, from the JSON file beside predictions made by psgimg."""


def check(out: Path) -> None:
    """Refuse an output folder in which files of the user would be replaced or deleted.

    Raises
    ------
    BuildError
        If it has a file of such a name without the ``metrics.json`` of an earlier evaluation, or is
        a file.
    """
    names = (METRICS, RECORDINGS, MARKDOWN, HTML, LATEX, *PICTURES, *MADE)
    own = names if ownership.read_mark(out / METRICS) else ()
    ownership.refuse_foreign(out, names, own, "--out")


def write(out: Path, evaluation: Evaluation) -> list[Path]:
    """Write the report into a folder; the same evaluation gives the same bytes.

    Pictures of an earlier report that this one does not have are removed.

    Returns
    -------
    Paths of the written files, the two reports first.
    """
    drawn = _pictures(evaluation)
    facts = _facts(evaluation.values, drawn)
    facts["nights_section"] = templates.render(NIGHTS_TEMPLATE, facts).strip()
    text = templates.render(TEMPLATE, facts)
    others = [_figures(other) for other in evaluation.others]
    contents = {
        MARKDOWN: text.encode(),
        HTML: html.html(text, drawn).encode(),
        LATEX: latex.tables(evaluation.values, others).encode(),
        **drawn,
    }
    for name, data in contents.items():
        with atomic_file.whole(out / name) as temporary:
            temporary.write_bytes(data)
    for name in set(PICTURES) - set(drawn):
        (out / name).unlink(missing_ok=True)
    return [out / name for name in contents]


def _pictures(evaluation: Evaluation) -> dict[str, bytes]:
    """Return file name → PNG bytes of the pictures for which there are data."""
    values, nights = evaluation.values, evaluation.nights
    pooled, comparisons = values["pooled"], values["comparisons"]
    drawn = {CONFUSION: plot_evaluation.confusion(pooled["confusion"])}
    if len(values["subjects"]) > 1:
        drawn[SUBJECTS] = plot_evaluation.spread(values["subjects"], pooled["figures"])
    for name, place in hypnograms.selected(values["recordings"]).items():
        drawn[HYPNOGRAMS[name]] = hypnograms.draw(nights[place])
    if agreement := plot_agreement.draw(values["recordings"], values["nights"]):
        drawn[AGREEMENT] = agreement
    if values["calibration"]:
        drawn[RELIABILITY] = plot_evaluation.reliability(values["calibration"])
    if values["scorers"]:
        drawn[SECOND] = plot_evaluation.confusion(values["scorers"]["confusion"], "second scorer")
    if comparisons:
        drawn[DIFFERENCES] = plot_evaluation.differences(comparisons)
        clean = not _part(values, "corruption")
        if severity := plot_robustness.draw(comparisons, clean=clean):
            drawn[SEVERITY] = severity
    return drawn


def _figures(data: Epochs) -> latex.Figures:
    """Return the metrics of a single file with their intervals."""
    tables = confusions(data.subjects(), data.label, data.prediction)
    return dict(finite(as_values(intervals(tables))))


def _facts(values: Mapping[str, Any], drawn: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the variables of the template."""
    recordings = values["recordings"]
    selected = hypnograms.selected(recordings)
    ranked = sorted(recordings, key=lambda row: math.inf if row["kappa"] is None else row["kappa"])
    settings = _part(values, "settings")
    corpora = sorted({row["corpus"] for row in values["subjects"]} - {""})
    return {
        "v": values,
        "metrics": metric_table.METRICS,
        "measures": MEASURES,
        "fewest": FEWEST,
        "few": plot_evaluation.FEW,
        "headline": metric_table.headline(),
        "headline_names": metric_table.listed(metric_table.headline()),
        "stages": STAGE_NAMES,
        "pictures": drawn,
        "hypnograms": {HYPNOGRAMS[name]: recordings[place] for name, place in selected.items()},
        "recordings": ranked[:MOST_RECORDINGS],
        "corpora": corpora,
        "settings": {name: _placeless(settings[name]) for name in SETTINGS if settings.get(name)},
        "split": settings.get("split"),
        "view": disclosure.common([entry["source"] for entry in (values, *values["comparisons"])]),
        "corruption": _part(values, "corruption"),
        "without": [_without(entry) for entry in (values, *values["comparisons"])],
        "twins": [_part(entry, "corruption") for entry in values["comparisons"]],
        "synthetic": registry.synthetic(corpora) if registry.is_synthetic(corpora) else [],
        "restricted": _is_restricted(values, corpora),
    }


def _without(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lanes that `psgimg predict` left out, and of how many epochs it never saw the like."""
    lanes = _part(entry, "settings").get("without")
    unseen = (entry["source"] or {}).get("unseen_lanes")
    named = [str(lane) for lane in lanes] if isinstance(lanes, list) else []
    return {"lanes": named, "unseen": unseen if isinstance(unseen, int) else 0}


def _is_restricted(values: Mapping[str, Any], corpora: Sequence[str]) -> bool:
    """Whether a corpus of the predictions is not known to be open, whatever the file beside them states."""
    stated = (values["source"] or {}).get("policy", Policy.OPEN.value)
    return stated != Policy.OPEN.value or not all(
        registry.is_open(name, Policy.OPEN) for name in corpora
    )


def _placeless(value: Any) -> str:
    """Return a setting as text, an absolute path reduced to its last component."""
    return Path(value).name if Path(str(value)).is_absolute() else str(value)


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a mapping from the JSON file beside predictions; empty if it is of another type."""
    part = (entry["source"] or {}).get(name)
    return part if isinstance(part, Mapping) else {}
