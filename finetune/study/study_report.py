"""Study report: the results of a study as JSON, CSV and Markdown, with pictures."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.card import templates
from psgimg.builder.files import ownership
from psgimg.finetune.evaluation.intervals import without_interval
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.jackknife import FEWEST, too_few
from psgimg.finetune.study import plot_settings
from psgimg.finetune.study.baseline_cells import NONE
from psgimg.finetune.study.grid import BASELINE
from psgimg.finetune.study.plan import SEED
from psgimg.finetune.study.table import DONE, FAILED, WAITING

VALUES, ROWS, PAGE = "study.json", "study.csv", "report.md"
SETTINGS, EFFECTS = "settings.png", "effects.png"
TEMPLATE = "study.md.j2"

Values = Mapping[str, Any]
Draw = Callable[[Sequence[Values], Sequence[str]], bytes]


def check(out: Path) -> None:
    """Refuse an output folder in which files of the user would be replaced or deleted.

    Raises
    ------
    BuildError
        If it has a file of such a name without the ``study.json`` of an earlier study, or is a file.
    """
    names = (VALUES, ROWS, PAGE, SETTINGS, EFFECTS)
    own = names if ownership.read_mark(out / VALUES) else ()
    ownership.refuse_foreign(out, names, own, "--out")


def write(out: Path, values: Values) -> None:
    """Write every file of the report; the same cells give the same bytes."""
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_file.write_text(out / VALUES, f"{text}\n")  # first, as it marks the folder
    settings = values["settings"]
    effects = [effect for effect in values["effects"] if effect["pairs"]]
    _picture(out / SETTINGS, plot_settings.settings, settings, [one["name"] for one in settings])
    _picture(out / EFFECTS, plot_settings.effects, effects, list(map(effect_name, effects)))
    atomic_file.write_text(out / ROWS, table(values))
    atomic_file.write_text(out / PAGE, page(values, effects))


def _picture(path: Path, draw: Draw, rows: Sequence[Values], names: Sequence[str]) -> None:
    """Write a picture of some rows; without rows, remove an earlier picture."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    with atomic_file.whole(path) as temporary:
        temporary.write_bytes(draw(rows, names))


def effect_name(effect: Values) -> str:
    """Return the name of a comparison: ``style: paper − clinical``."""
    return f"{effect['factor']}: {effect['value']} − {effect['reference']}"


def table(values: Values) -> str:
    """Return the study as CSV, one row per cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = [metric.key for metric in metric_table.METRICS]
    ends = [f"{key}{end}" for key in keys for end in ("", "_low", "_high")]
    counts = ["epochs", "subjects", "no_answer"]
    costs = [
        f"{step}_{unit}"
        for step in ("training", "prediction")
        for unit in ("seconds", "cpu_seconds")
    ]
    writer.writerow([*values["factors"], "state", "reason", *counts, *ends, *costs, "predictions"])
    for cell in values["cells"]:
        figures = cell.get("figures", {})  # an earlier version may lack a metric
        numbers = [
            figures.get(key, {}).get(end) for key in keys for end in ("value", "low", "high")
        ]
        writer.writerow(
            [
                *(cell["factors"][name] for name in values["factors"]),
                cell["state"],
                cell["reason"],
                *(cell.get("counts", {}).get(name) for name in counts),
                *numbers,
                *(
                    (cell["cost"][step] or {}).get(unit)
                    for step in ("training", "prediction")
                    for unit in ("seconds", "cpu_seconds")
                ),
                cell["predictions"],
            ]
        )
    return text.getvalue()


def page(values: Values, effects: Sequence[Values]) -> str:
    """Return the report as Markdown."""
    states = Counter(cell["state"] for cell in values["cells"])
    costs = {cell["predictions"]: cell["cost"] for cell in values["cells"]}
    subjects = [setting["subjects"] for setting in values["settings"]]
    return templates.render(
        TEMPLATE,
        {
            "v": values,
            "headline": metric_table.headline(),
            "n": {"done": states[DONE], "failed": states[FAILED], "waiting": states[WAITING]},
            "seeded": SEED in values["factors"],
            "claimed": any(setting.get("claims") for setting in values["settings"]),
            "explained": [c["explanation"] for c in values["cells"] if "explanation" in c],
            "rows": [
                {**setting, "cost": mean_costs([costs[name] for name in setting["cells"]])}
                for setting in values["settings"]
            ],
            "effects": effects,
            "unpaired": [e for e in values["effects"] if not e["pairs"] and e["other_epochs"]],
            "baselines": any(
                cell["factors"].get(BASELINE, NONE) not in (NONE, None) for cell in values["cells"]
            ),
            "failed": [cell for cell in values["cells"] if cell["state"] == FAILED],
            "too_few": [too_few(n) for n in sorted(set(subjects)) if n < FEWEST],
            "missing": _missing(values["settings"], effects),
            "intervals": max(subjects, default=0) >= FEWEST,
            "interval": interval,
            "signed": signed,
            "settings_png": SETTINGS,
            "effects_png": EFFECTS,
        },
    )


def _missing(settings: Sequence[Values], effects: Sequence[Values]) -> list[str]:
    """Return which headline metrics have no interval although there are enough subjects, and why."""
    named = [(one["name"], one) for one in settings] + [(effect_name(one), one) for one in effects]
    return [
        f"{name}: no interval of {metrics}: {reason}."
        for name, one in named
        if one["subjects"] >= FEWEST
        for reason, metrics in without_interval(one["figures"], metric_table.headline()).items()
    ]


def mean_costs(costs: Sequence[Values]) -> dict[str, str]:
    """Return mean CPU seconds of training and prediction; "≥" if an interrupted attempt is missing."""
    means = {}
    for step in ("training", "prediction"):
        recorded = [cost[step] for cost in costs if cost[step]]
        least = "≥ " if any(cost["interrupted"] for cost in recorded) else ""
        mean = sum(cost["cpu_seconds"] for cost in recorded) / max(len(recorded), 1)
        means[step] = f"{least}{mean:,.0f}" if recorded else "–"
    return means


def interval(figure: Values, digits: int = 3) -> str:
    """Format a metric with its interval: ``0.812 [0.774, 0.843]``."""
    return _with_ends(figure, "value", f"{{:.{digits}f}}")


def signed(figure: Values) -> str:
    """Format a difference with its interval: ``+0.021 [-0.004, +0.046]``."""
    return _with_ends(figure, "difference", "{:+.3f}")


def _with_ends(figure: Values, key: str, form: str) -> str:
    if figure[key] is None:
        return "–"
    value = form.format(figure[key])
    if figure["low"] is None:
        return value
    return f"{value} [{form.format(figure['low'])}, {form.format(figure['high'])}]"
