"""Night JSON: a night under review as the browser is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.review import recording
from psgimg.finetune.review.answers import Change
from psgimg.finetune.review.edits import AASM_NAMES
from psgimg.finetune.review.night import Night

SHOWN = dict(zip(STAGE_NAMES, AASM_NAMES, strict=True))
"""Stage → its name on the page, where scorers write R."""


def summary(night: Night) -> dict[str, Any]:
    """Return a night as an entry of the worklist."""
    answers = night.answers.epochs
    reviewed = np.array([answer.reviewed for answer in answers], bool)
    unscored = sum(answer.stage is None for answer in answers)
    to_review = int((night.basis.marked & ~reviewed).sum())
    missing = sum(
        answers[epoch].stage is None and not answers[epoch].reviewed and not night.reasons[epoch]
        for epoch in range(*night.staged.in_bed.indices(len(night)))
    )
    return {
        "id": night.place.key,
        "name": night.label,
        "epochs": len(night),
        "reviewed": int(reviewed.sum()),
        "to_review": to_review,
        "unscored": unscored,
        "has_model": bool(night.basis.model),
        "done": not to_review and not missing,
    }


def full(night: Night) -> dict[str, Any]:
    """Return all that is known of a night."""
    start = recording.start_of(night.recording)
    model = night.basis.model
    return {
        "id": night.place.key,
        "name": night.label,
        "epoch_s": night.basis.grid.epoch_s,
        "duration_s": night.end_s,
        "start": start.isoformat() if start else None,
        "n": len(night),
        "lanes": _lanes(night),
        "size": [night.recording.recipe.style.width_px, night.recording.recipe.style.height_px],
        "model": {"name": model, "says": night.basis.says} if model else None,
        "stages": list(AASM_NAMES),
        "epochs": _epochs(night),
        "against_name": night.against_name,
        "blind": night.config.blind,
        "scorer": night.config.who,
        "can_explain": night.can_explain,
        **standing(night),
    }


def standing(night: Night) -> dict[str, Any]:
    """Return what follows from the answers as they stand."""
    return {
        "revision": night.revision,
        "lights": lights(night),
        "statistics": night.staged.statistics.to_dict(),
        "can_undo": night.answers.can_undo,
        "can_redo": night.answers.can_redo,
        "unsaved": night.unwritten,
    }


def changed(night: Night, changes: Sequence[Change]) -> dict[str, Any]:
    """Return what an edit changed, and what follows."""
    places = sorted({change.epoch for change in changes if change.epoch is not None})
    return {
        "changed": {
            "epochs": {str(epoch): answer(night, epoch) for epoch in places},
            "lights": lights(night),
        },
        **standing(night),
    }


def answer(night: Night, epoch: int) -> dict[str, Any]:
    """Return the answer of an epoch as it stands."""
    now = night.answers.epochs[epoch]
    return {
        "stage": SHOWN[now.stage] if now.stage else None,
        "source": now.source,
        "note": now.note or None,
        "reviewed": now.reviewed,
        "review": bool(night.basis.marked[epoch]) and not now.reviewed,
        "scorer": now.scorer or None,
        "at": now.at or None,
    }


def lights(night: Night) -> dict[str, float | None]:
    """Return lights off and on in seconds of the recording."""
    return {"off_s": night.answers.lights.off_s, "on_s": night.answers.lights.on_s}


def _lanes(night: Night) -> list[dict[str, Any]]:
    recipe = night.recording.recipe
    rows = zip(recipe.montage.lanes, night.recording.derivations, strict=True)
    return [
        {
            "name": lane.name,
            "kind": lane.kind.value,
            "unit": "µV",
            "scale_uv": recipe.style.lane(lane.kind).scale_uv,
            "derivation": derivation.name if derivation else None,
        }
        for lane, derivation in rows
    ]


def _epochs(night: Night) -> dict[str, Any]:
    """Return what is known of each epoch, a list for each kind of value."""
    now = [answer(night, epoch) for epoch in range(len(night))]
    known = night.basis
    with_model = bool(known.model)
    columns = ("stage", "source", "note", "reviewed", "scorer", "at")
    return {
        "number": list(known.grid.epochs),
        "onset_s": list(known.grid.onsets_s),
        **{name: [one[name] for one in now] for name in columns},
        "review": [one["review"] for one in now] if with_model else None,
        "model": [_shown(one.stage) for one in known.answers] if with_model else None,
        "p": _probabilities(known.probabilities) if with_model else None,
        "against": None if night.against is None else _names(night.against),
        "unscored_reason": night.reasons,
    }


def _probabilities(values: npt.NDArray[np.float64]) -> list[list[float] | None]:
    """Return the probabilities of each epoch; None without."""
    return [None if np.isnan(row).any() else [round(p, 6) for p in row.tolist()] for row in values]


def _names(stages: npt.NDArray[np.int64]) -> list[str | None]:
    return [None if stage == UNSCORED else AASM_NAMES[stage] for stage in stages.tolist()]


def _shown(stage: str | None) -> str | None:
    return SHOWN[stage] if stage else None
