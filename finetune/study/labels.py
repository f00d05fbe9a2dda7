"""Labels: the values of a cell's factors as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.render.style import CLINICAL
from psgimg.finetune.decoding.decoded import PAGE
from psgimg.finetune.study import baseline_cells, grid
from psgimg.finetune.study.grid import BASELINE, CORRUPT, FOLD, TEST, TRAIN, ZERO_SHOT, Study
from psgimg.finetune.training.psg_arguments import PsgArguments

CLEAN = "none"
"""Value of the factor ``corrupt`` for uncorrupted pages."""

NO_FOLD = "none"
"""Value of the factor ``fold`` for the splits of the dataset."""

LOCAL = ("/", "./", "../", "~")
"""Beginnings of paths of this machine."""

DEFAULTS = {
    "style": CLINICAL.name,
    CORRUPT: CLEAN,
    ZERO_SHOT: "no",
    BASELINE: baseline_cells.NONE,
    "train_subjects": "all",
    FOLD: NO_FOLD,
    grid.DECODE: PAGE,
    **{name: str(getattr(PsgArguments(), name)) for name in ("prompt", "context", "sampling")},
    "context_scale": f"{PsgArguments().context_scale:g}",
    "context_mixed": "no",
}
"""Label of a factor that neither a cell nor the study's options set; otherwise ``default``."""

ZERO_SHOT_OPTIONS = ("model", "prompt", "context", "context_scale")
"""Training options that also apply to prediction with an untrained model."""


def of(study: Study, factors: Mapping[str, Any], zero_shot: bool) -> dict[str, str | None]:
    """Return the label of each factor of a cell."""
    found: dict[str, str | None] = {}
    for factor in study.factors:
        section, option = grid.option_of(factor)
        if zero_shot and section == "sft" and factor not in ZERO_SHOT_OPTIONS:
            found[factor] = None
            continue
        base = study.options.get(section, {}).get(option, DEFAULTS.get(factor, "default"))
        found[factor] = text(factors.get(factor, base), zero_shot)
    return found


def text(value: Any, zero_shot: bool = False) -> str:
    """Return a factor's value as text, with local paths reduced to their last component."""
    if isinstance(value, Mapping):
        parts = [text(value[part]) for part in (TRAIN, TEST)]
        return f"→ {parts[1]}" if zero_shot else " → ".join(parts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " + ".join(text(one) for one in value)
    shown = str(value)
    name, equals, place = shown.partition("=")  # of a root: shhs=/data/shhs
    if equals and place.startswith(LOCAL):
        return f"{name}={Path(place).name}"
    return Path(shown).name if shown.startswith(LOCAL) else shown
