"""Answers: the stages of a night as they stand, who said each, and how an edit changes them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from psgimg.finetune.review.edits import Edit

MODEL, SCORING, SCORER = "model", "scoring", "scorer"
"""Who said a stage: the model, the scoring that was opened, or the person who reviews."""


@dataclass(frozen=True)
class Answer:
    """What is known of an epoch.

    Parameters
    ----------
    stage
        Name of the stage; None for none.
    source
        Who said so; None if nobody did.
    note
        The reviewer's words on the epoch, "" for none.
    reviewed
        Whether a person has confirmed or changed the stage.
    scorer, at
        That person, and the time in UTC; "" if there is none.
    """

    stage: str | None
    source: str | None
    note: str = ""
    reviewed: bool = False
    scorer: str = ""
    at: str = ""


@dataclass(frozen=True)
class Lights:
    """Seconds from the recording's start to lights off and on; None where they are unknown."""

    off_s: float | None = None
    on_s: float | None = None


NO_LIGHTS = Lights()


@dataclass(frozen=True)
class Change:
    """What an edit did: an epoch's answer before and after, or the lights if ``epoch`` is None."""

    epoch: int | None
    before: Answer | Lights
    after: Answer | Lights


class Answers:
    """The answers of a night, with what can be undone and redone.

    Parameters
    ----------
    first
        The answers that the review begins with, one per epoch.
    """

    def __init__(self, first: Sequence[Answer], lights: Lights) -> None:
        self.epochs = list(first)
        self.lights = lights
        self._done: list[tuple[Change, ...]] = []
        self._undone: list[tuple[Change, ...]] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone edit to do again."""
        return bool(self._undone)

    def change(self, edits: Sequence[Edit], scorer: str, at: str) -> tuple[Change, ...]:
        """Apply edits that were made at once, and return what they changed.

        Edits made at once are undone at once. Undoing without anything to undo changes nothing.
        """
        if edits and edits[0].kind == "undo":
            return self._move(self._done, self._undone, back=True)
        if edits and edits[0].kind == "redo":
            return self._move(self._undone, self._done, back=False)
        changes = []
        for edit in edits:
            change = self._changed(edit, scorer, at)
            self._set(change, change.after)
            changes.append(change)
        self._done.append(tuple(changes))
        self._undone.clear()
        return tuple(changes)

    def _changed(self, edit: Edit, scorer: str, at: str) -> Change:
        """Return what an edit changes."""
        if edit.kind == "lights":
            return Change(None, self.lights, Lights(edit.off_s, edit.on_s))
        assert edit.epoch is not None
        before = self.epochs[edit.epoch]
        if edit.kind == "note":
            return Change(edit.epoch, before, replace(before, note=edit.text))
        seen = replace(before, reviewed=True, scorer=scorer, at=at)
        if edit.kind == "stage":
            seen = replace(seen, stage=edit.stage, source=SCORER)
        return Change(edit.epoch, before, seen)

    def _move(
        self, source: list[tuple[Change, ...]], target: list[tuple[Change, ...]], *, back: bool
    ) -> tuple[Change, ...]:
        """Undo or redo the last edits of a list, and append them to the other one."""
        if not source:
            return ()
        changes = source.pop()
        for change in reversed(changes) if back else changes:
            self._set(change, change.before if back else change.after)
        target.append(changes)
        return changes

    def _set(self, change: Change, value: Answer | Lights) -> None:
        if isinstance(value, Lights):
            self.lights = value
        else:
            assert change.epoch is not None
            self.epochs[change.epoch] = value
