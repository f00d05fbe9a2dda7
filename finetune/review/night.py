"""Night: one recording under review, its answers as they stand, and the journal that keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from threading import RLock
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock
from psgimg.builder.unscored.night_views import NightViews
from psgimg.finetune.review import basis, comparison, edits, output_files, recording
from psgimg.finetune.review.answers import Answers, Change
from psgimg.finetune.review.basis import Basis
from psgimg.finetune.review.journal import NAME, Journal
from psgimg.finetune.review.night_place import NightPlace
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.staging.staged_night import StagedNight


class StaleError(Exception):
    """An edit of answers that have changed since, such as from a second tab."""


class Night:
    """A night under review. Its methods may be called from several threads.

    Parameters
    ----------
    label
        Name shown to the reviewer.
    held
        Holds the lock of the review's folder while it is open.

    Attributes
    ----------
    against : (n,)
        Stages of the second scoring; None without one.
    revision
        Number of times that answers were edited.
    notes
        What a reviewer should know of recording and scorings, one sentence each.
    unwritten
        Why the files of the reviewed night could not be written, while the journal is kept.

    Raises
    ------
    BuildError, RecordingError
        If recording, stages or journal can't be read, or another process reviews the night.
    """

    def __init__(
        self, place: NightPlace, label: str, config: ReviewConfig, held: ExitStack
    ) -> None:
        refusal = f"{place.out} is under review in another process; close that one first"
        held.enter_context(lock.held(lock.beside(place.out), refusal, needed=False))
        self.place, self.label, self.config = place, label, config
        self.recording = recording.opened(place, config)
        self.basis: Basis = basis.read(place, config, self.recording)
        self.answers = Answers(self.basis.answers, self.basis.lights)
        self.against, told = self._against()
        self.notes = (*self.recording.notes, *self.basis.notes, *told)
        self.revision = 0
        self.unwritten: str | None = None
        self._turn = RLock()
        self._journal = Journal(place.out / NAME, self._head())
        for number, line in enumerate(self._journal.lines, 2):
            self._replay(line, number)

    def __len__(self) -> int:
        return len(self.basis.grid)

    @property
    def against_name(self) -> str | None:
        """Name of the second scoring's file."""
        return self.place.against.name if self.place.against else None

    @property
    def can_explain(self) -> bool:
        """Whether a model was given that can be asked why."""
        return bool(self.config.model) and not self.config.blind

    @property
    def end_s(self) -> float:
        """End of the recording in seconds."""
        return self.recording.duration_s

    @cached_property
    def views(self) -> NightViews:
        """What draws the recording, after it was found to be the one that was staged."""
        self._require_same_signal()
        return NightViews(self.recording)

    @cached_property
    def reasons(self) -> list[str | None]:
        """Why the page of each epoch lacks signal; None if it does not."""
        return basis.reasons(self.recording, self.basis.grid)

    @property
    def staged(self) -> StagedNight:
        """The answers as they stand, in the form of a night that a model staged."""
        with self._turn:
            name, start = self.recording.path.name, recording.start_of(self.recording)
            return output_files.staged(name, start, self.basis, self.answers)

    def edit(self, values: Any, revision: int) -> tuple[Change, ...]:
        """Change answers, once the change is on the disk; return what has changed.

        Parameters
        ----------
        values
            List of edits as JSON values (:mod:`psgimg.finetune.review.edits`).
        revision
            That of the answers which the reviewer saw.

        Raises
        ------
        ValueError
            If an edit is invalid.
        StaleError
            If the answers have changed since.
        BuildError
            If the journal can't be written; nothing is changed then.
        """
        made = edits.parse_all(values, len(self), self.end_s)
        with self._turn:
            if revision != self.revision:
                raise StaleError
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = {
                "revision": self.revision + 1,
                "time": at,
                "scorer": self.config.who,
                "edits": [self._told(edit) for edit in made],
            }
            self._journal.append(line)
            self.revision += 1
            return self.answers.change(made, self.config.who, at)

    def write(self) -> None:
        """Write hypnogram, annotations and statistics of the answers as they stand.

        Raises
        ------
        BuildError
            If they can't be written.
        """
        with self._turn:
            if not self.revision:
                return
            answers, night = tuple(self.answers.epochs), self.staged
            facts = {
                "night": self.recording.path.name,
                "review": {
                    "revision": self.revision,
                    "blind": self.config.blind,
                    "of": self.basis.origin or None,
                    "model": self.basis.model or None,
                    "epochs": len(self),
                    "reviewed": sum(answer.reviewed for answer in answers),
                },
            }
        output_files.write(self.place.out, night, answers, facts)  # edits need not wait for it

    def _against(self) -> tuple[comparison.Stages | None, tuple[str, ...]]:
        """Return the stages of the second scoring, if there is one, and notes on it."""
        if self.place.against is None:
            return None, ()
        return comparison.read(self.place.against, self.config, self.recording, self.basis.grid)

    def _head(self) -> Mapping[str, Any]:
        """Return what the journal's first line says: that edits fit these epochs."""
        grid = self.basis.grid
        head = {
            "night": self.recording.path.name,
            "epochs": len(grid),
            "epoch_s": grid.epoch_s,
            "first_s": grid.onsets_s[0] if len(grid) else None,
            "blind": self.config.blind,
        }
        return {**head, "scorer": self.config.who} if self.config.blind else head

    def _told(self, edit: edits.Edit) -> dict[str, Any]:
        """Return an edit for the journal, with the time of its epoch and what it replaces."""
        values = edit.to_json()
        if edit.epoch is not None:
            before = self.answers.epochs[edit.epoch]
            values["onset_s"] = self.basis.grid.onsets_s[edit.epoch]
            values["before"] = (
                {"text": before.note}
                if edit.kind == "note"
                else {"stage": before.stage, "source": before.source, "scorer": before.scorer}
            )
        elif edit.kind == "lights":
            lights = self.answers.lights
            values["before"] = {"off_s": lights.off_s, "on_s": lights.on_s}
        return values

    def _replay(self, line: Mapping[str, Any], number: int) -> None:
        """Make the edits of a line of the journal again."""
        try:
            made = edits.parse_all(line["edits"], len(self), self.end_s)
            if line["revision"] != self.revision + 1:
                raise ValueError(f"revision {line['revision']!r} after {self.revision}")
            self.answers.change(made, str(line["scorer"]), str(line["time"]))
        except (KeyError, ValueError) as error:
            raise self._journal.damaged(number, str(error)) from error
        self.revision += 1

    def _require_same_signal(self) -> None:
        """Refuse another recording of the same name than the one that was staged."""
        path, facts = self.recording.path, self.place.facts
        signal = facts.get("signal") if facts else None
        if signal is not None and atomic_file.sha256(path) != signal:
            raise BuildError(
                f"{path} is not the recording whose stages are in {self.place.staged}; say with "
                "--recording where that one is"
            )
