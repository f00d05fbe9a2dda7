"""Basis: the stages that a review begins with, of a model, of a scoring, or none."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder import atomic_file
from psgimg.builder.corpora import scoring_grid
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.signals import epoching
from psgimg.builder.stages import STAGE_NAMES, Stage
from psgimg.builder.unscored_night import Grid, UnscoredNight, UnscoredPage
from psgimg.finetune.review.answers import MODEL, NO_LIGHTS, SCORING, Answer, Lights
from psgimg.finetune.review.night_place import NightPlace
from psgimg.finetune.review.review_config import ReviewConfig
from psgimg.finetune.review.staged_facts import StagedFacts
from psgimg.finetune.staging.stage import TABLE

REVIEW_BELOW = 0.7
"""Of nights without a model nothing is marked; the figure is that of `psgimg stage`."""


@dataclass(frozen=True, eq=False)
class Basis:
    """The epochs of a night with what was known of them before the review.

    Parameters
    ----------
    grid
        The epochs.
    answers
        One per epoch.
    probabilities : (n, 5)
        Those of the model, in the order of ``STAGE_NAMES``; NaN without.
    marked : (n,)
        Whether the model's answer should be reviewed.
    model
        Name of the model; "" without one.
    says
        What kind of model it is, one line.
    staged_by
        Who staged the night, as its files say.
    notes
        How a scoring was read, and what of it was left out, one sentence each.
    origin
        Name of the file from which the answers were read; "" for none.
    """

    grid: Grid
    answers: tuple[Answer, ...]
    probabilities: npt.NDArray[np.float64]
    marked: npt.NDArray[np.bool_]
    lights: Lights = NO_LIGHTS
    model: str = ""
    says: str = ""
    staged_by: str = ""
    notes: tuple[str, ...] = ()
    origin: str = ""
    review_below: float = REVIEW_BELOW

    @classmethod
    def without_stages(cls, grid: Grid) -> Basis:
        """Return epochs of which nothing is known."""
        n = len(grid)
        return cls(grid, (Answer(None, None),) * n, _none(n), np.zeros(n, bool))

    def blind(self) -> Basis:
        """Return the same epochs without any stage."""
        return replace(Basis.without_stages(self.grid), lights=self.lights)


def read(place: NightPlace, config: ReviewConfig, night: UnscoredNight) -> Basis:
    """Return the stages that a night's review begins with.

    Raises
    ------
    BuildError, RecordingError
        If they can't be read, or belong to another recording.
    """
    if place.staged is not None and place.facts is not None:
        found = _of_model(place.staged, place.facts)
    elif config.scoring is not None:
        found = _of_scoring(config.scoring, config, night)
    else:
        found = Basis.without_stages(night.grid)
    return found.blind() if config.blind else found


def reasons(night: UnscoredNight, grid: Grid) -> list[str | None]:
    """Return why the page of each epoch is not fully covered by signal; None if it is."""
    pages = (
        UnscoredPage(number, onset_s, grid.epoch_s)
        for number, onset_s in zip(grid.epochs, grid.onsets_s, strict=True)
    )
    return [epoching.missing_signal(night.file, page.page_start_s) or None for page in pages]


def _of_scoring(path: Path, config: ReviewConfig, night: UnscoredNight) -> Basis:
    form, codes = config.scoring_format, config.stages_of
    scored = scoring_grid.read(path, night.path, night.start, form, codes)
    grid, n_outside = Grid.of(scored, night.duration_s, path.name)
    scores = dict(scored)
    answers = tuple(
        Answer(score.name if isinstance(score, Stage) else None, SCORING)
        for score in (scores[onset_s] for onset_s in grid.onsets_s)
    )
    n = len(grid)
    notes = [f"{path.name}: {note}" for note in scored.notes]
    if n_outside:
        notes.append(f"{path.name}: epochs outside the recording, left out: {n_outside}")
    return Basis(grid, answers, _none(n), np.zeros(n, bool), notes=tuple(notes), origin=path.name)


def _of_model(folder: Path, facts: StagedFacts) -> Basis:
    path = folder / TABLE
    try:
        written = facts["files"][TABLE]
        epoch_s = facts["grid"]["epoch_s"]
        if atomic_file.sha256(path) != written:
            raise BuildError(
                f"{path} was changed since `psgimg stage` wrote it, so that its stages are not the "
                "model's; restore it, or give the recording and this file with --scoring"
            )
        rows = list(csv.DictReader(io.StringIO(bounded.read_text(path, bounded.TEXT))))
        grid = Grid(
            tuple(int(row["epoch"]) for row in rows),
            tuple(float(row["onset_s"]) for row in rows),
            epoch_s,
        )
        stages = [row["stage"] if row["stage"] in STAGE_NAMES else None for row in rows]
        values = [[float(row[f"p_{name}"] or nan) for name in STAGE_NAMES] for row in rows]
        marked = [row["review"] == "yes" for row in rows]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BuildError(
            f"{path} can't be read as what `psgimg stage` writes ({error!r}); stage the night again"
        ) from error
    return Basis(
        grid,
        tuple(Answer(stage, MODEL if stage else None) for stage in stages),
        np.array(values, np.float64).reshape(-1, len(STAGE_NAMES)),
        np.array(marked, bool),
        Lights(facts.get("lights_off_s"), facts.get("lights_on_s")),
        facts.get("model", ""),
        f"reads {facts.get('reads', 'pictures')}",
        facts.get("staged_by", ""),
        (),
        TABLE,
        facts.get("review_below", REVIEW_BELOW),
    )


def _none(n: int) -> npt.NDArray[np.float64]:
    return np.full((n, len(STAGE_NAMES)), np.nan)
