"""Edits: what a reviewer changes, as JSON values from the browser or from the journal, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from psgimg.builder.stages import STAGE_NAMES

AASM_NAMES = tuple("R" if name == "REM" else name for name in STAGE_NAMES)
"""Stages as scorers write them, in the order of ``STAGE_NAMES``."""

LONGEST_NOTE = 1_000
MOST_EDITS = 5_000
"""More than the epochs of a night, which may all be changed at once."""

TURNING = ("undo", "redo")


@dataclass(frozen=True)
class Edit:
    """One change.

    Parameters
    ----------
    kind
        ``stage``, ``reviewed``, ``note``, ``lights``, ``undo`` or ``redo``.
    epoch
        Place of the epoch among those of the night, from 0; None if the change is of none.
    stage
        Name of the stage, None for an epoch without one; of ``stage``.
    text
        Of ``note``; "" removes it.
    off_s, on_s
        Of ``lights``.
    """

    kind: str
    epoch: int | None = None
    stage: str | None = None
    text: str = ""
    off_s: float | None = None
    on_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the values that ``parse`` reads."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in FIELDS[self.kind]}}


def parse_all(values: Any, n_epochs: int, end_s: float) -> tuple[Edit, ...]:
    """Return the edits in a list of JSON values.

    Parameters
    ----------
    end_s
        End of the recording in seconds.

    Raises
    ------
    ValueError
        At the first invalid value; or if undo or redo is not alone.
    """
    if not isinstance(values, list) or not 0 < len(values) <= MOST_EDITS:
        raise ValueError(f"edits: give a list of 1 to {MOST_EDITS} edits")
    edits = tuple(parse(value, n_epochs, end_s) for value in values)
    if len(edits) > 1 and any(edit.kind in TURNING for edit in edits):
        raise ValueError("edits: undo and redo stand alone")
    return edits


def parse(values: Any, n_epochs: int, end_s: float) -> Edit:
    """Return the edit in JSON values; keys that its kind has no use for are ignored.

    Raises
    ------
    ValueError
        If there is no such kind, or a value is missing or invalid.
    """
    kind = values.get("kind") if isinstance(values, Mapping) else None
    if kind not in FIELDS:
        raise ValueError(f"edit of kind {kind!r}: use {', '.join(FIELDS)}")
    fields = {name: _READ[name](values, n_epochs, end_s) for name in FIELDS[kind]}
    edit = Edit(kind, **fields)
    if edit.off_s is not None and edit.on_s is not None and edit.off_s >= edit.on_s:
        raise ValueError(f"lights off at {edit.off_s:g} s: give a time before lights on")
    return edit


def _epoch(values: Mapping[str, Any], n_epochs: int, _: float) -> int:
    epoch = values.get("epoch")
    if type(epoch) is not int or not 0 <= epoch < n_epochs:
        raise ValueError(f"epoch {epoch!r}: use 0 to {n_epochs - 1}")
    return epoch


def _stage(values: Mapping[str, Any], *_: float) -> str | None:
    stage = values.get("stage", "")
    if stage is None:
        return None
    if stage in STAGE_NAMES:
        return str(stage)
    if stage in AASM_NAMES:
        return STAGE_NAMES[AASM_NAMES.index(stage)]
    raise ValueError(f"stage {stage!r}: use {', '.join(AASM_NAMES)} or null")


def _text(values: Mapping[str, Any], *_: float) -> str:
    text = values.get("text")
    if not isinstance(text, str) or len(text) > LONGEST_NOTE:
        raise ValueError(f"note: give a text of at most {LONGEST_NOTE:,} characters")
    return text.strip()


def _time(name: str) -> Callable[[Mapping[str, Any], int, float], float | None]:
    def read(values: Mapping[str, Any], _: int, end_s: float) -> float | None:
        time_s = values.get(name)
        if time_s is None:
            return None
        if type(time_s) not in (int, float) or not isfinite(time_s) or not 0 <= time_s <= end_s:
            raise ValueError(f"{name} {time_s!r}: use seconds from 0 to {end_s:g}, or null")
        return float(time_s)

    return read


FIELDS = {
    "stage": ("epoch", "stage"),
    "reviewed": ("epoch",),
    "note": ("epoch", "text"),
    "lights": ("off_s", "on_s"),
    "undo": (),
    "redo": (),
}
"""Values of each kind of edit."""

_READ: Mapping[str, Callable[..., Any]] = {
    "epoch": _epoch,
    "stage": _stage,
    "text": _text,
    "off_s": _time("off_s"),
    "on_s": _time("on_s"),
}
