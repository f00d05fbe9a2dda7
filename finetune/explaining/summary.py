"""Summary: which lane decides which stage, over all pages that were explained. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.page_set import Page
from psgimg.finetune.explaining.cells import Floats, Grid, Pixels
from psgimg.finetune.explaining.faithfulness import ORDERS, WAYS, Curves, Verdict, verdict
from psgimg.finetune.explaining.margins import margin
from psgimg.finetune.explaining.page_intervals import Mean, mean


@dataclass(frozen=True, eq=False)
class Overlay:
    """A page to look at: its pixels (height, width, 3), and what each of them stands for."""

    pixels: Pixels
    values: Floats


@dataclass(frozen=True, eq=False)
class Explained:
    """What was found out of one page.

    Parameters
    ----------
    lanes
        Derivations drawn; None for an absent lane.
    log_probs : (5,)
        Of the five answers.
    cells, ink : (n_lanes, n_windows)
        Attribution in nats of the margin, and pixels with ink.
    seconds : (30,)
        Attributions by second.
    without_lane : (n_fills, n_lanes, 5)
        Log-probabilities of the five answers when a whole lane is filled.
    """

    page: Page
    lanes: tuple[str | None, ...]
    log_probs: Floats
    cells: Floats
    ink: Floats
    seconds: Floats
    without_lane: Floats
    curves: Curves
    overlay: Overlay | None = None

    @property
    def stage(self) -> int:
        """What the model answers: it is this that is explained, right or wrong."""
        return int(self.log_probs.argmax())

    @property
    def right(self) -> bool:
        """Whether the reference scorer says so too."""
        return STAGE_NAMES[self.stage] == self.page.stage

    @property
    def margin(self) -> float:
        """Log-probability of the answer less that of the best other one."""
        return float(margin(self.log_probs[None], self.stage)[0])

    @property
    def shares(self) -> Floats:
        """(n_lanes,) share of each lane in all that speaks for the answer; NaN for an absent lane.

        A lane's cells are added up first, so that what is chance in them cancels; a lane that in
        sum speaks against the answer has no share.
        """
        sums = self._there(np.maximum(self.cells.sum(axis=1), 0))
        total = np.nansum(sums)
        return sums / total if total > 0 else np.full_like(sums, np.nan)

    @property
    def drops(self) -> Floats:
        """(n_lanes,) what the margin loses when a whole lane is filled; NaN for an absent one."""
        n_fills, n_lanes, n_stages = self.without_lane.shape
        margins = margin(self.without_lane.reshape(-1, n_stages), self.stage)
        return self._there(self.margin - margins.reshape(n_fills, n_lanes).mean(axis=0))

    @property
    def turns(self) -> Floats:
        """(n_lanes,) share of fills of a lane with which the answer is another; NaN if absent."""
        return self._there((self.without_lane.argmax(axis=2) != self.stage).mean(axis=0))

    def _there(self, values: Floats) -> Floats:
        absent = np.array([name is None for name in self.lanes])
        return np.where(absent, np.nan, values)


@dataclass(frozen=True)
class StageSummary:
    """What answers of one stage hang on; means over its pages, a value a lane.

    Parameters
    ----------
    n_pages, n_right
        Pages with this answer, and those of them where the reference scorer agrees.
    shares, drops, turns
        Means of the same of ``Explained``.
    seconds : (30,)
        Mean attribution by second.
    """

    n_pages: int
    n_right: int
    shares: tuple[Mean, ...]
    drops: tuple[Mean, ...]
    turns: tuple[Mean, ...]
    seconds: Floats

    @property
    def most(self) -> int:
        """Lane with the greatest share; -1 if no lane speaks for the answer."""
        values = [lane.value for lane in self.shares]
        return -1 if np.isnan(values).all() else int(np.nanargmax(values))


@dataclass(frozen=True, eq=False)
class Summary:
    """What a whole run found.

    Parameters
    ----------
    lanes
        Names, from top to bottom.
    stages
        By the model's answer; a stage that it never gave is not there.
    curves
        (way, order) → (11,) mean margin.
    """

    lanes: tuple[str, ...]
    pages: tuple[Explained, ...]
    stages: dict[str, StageSummary]
    curves: dict[tuple[str, str], Floats]
    verdict: Verdict

    @property
    def n_subjects(self) -> int:
        """Subjects among the pages."""
        return len({explained.page[:2] for explained in self.pages})

    @property
    def n_recordings(self) -> int:
        """Recordings among the pages."""
        return len({explained.page[:3] for explained in self.pages})


def summarise(pages: Sequence[Explained], grid: Grid) -> Summary:
    """Means over pages; intervals of lanes over subjects, those of the verdict over pages."""
    subjects = sorted({explained.page[:2] for explained in pages})
    number = {who: i for i, who in enumerate(subjects)}
    stages = {}
    for stage, name in enumerate(STAGE_NAMES):
        own = [explained for explained in pages if explained.stage == stage]
        if own:
            stages[name] = _stage(own, [number[explained.page[:2]] for explained in own])
    curves = {
        (way, order): np.mean([getattr(page.curves, way)[order] for page in pages], axis=0)
        for way in WAYS
        for order in ORDERS
    }
    found = verdict([explained.curves for explained in pages])
    return Summary(grid.lanes, tuple(pages), stages, curves, found)


def count(pages: Sequence[Explained], stage: int) -> int:
    """Pages with this answer."""
    return sum(explained.stage == stage for explained in pages)


def _stage(pages: Sequence[Explained], subjects: Sequence[int]) -> StageSummary:
    def means(values: Sequence[Floats]) -> tuple[Mean, ...]:
        return tuple(mean(column, subjects) for column in np.array(values).T)

    return StageSummary(
        n_pages=len(pages),
        n_right=sum(explained.right for explained in pages),
        shares=means([explained.shares for explained in pages]),
        drops=means([explained.drops for explained in pages]),
        turns=means([explained.turns for explained in pages]),
        seconds=np.mean([explained.seconds for explained in pages], axis=0),
    )
