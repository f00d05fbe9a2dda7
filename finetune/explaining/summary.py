"""Summary: the shares of lanes by stage, aggregated over all explained pages. NumPy only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.page_set import Page
from psgimg.finetune.explaining.cells import Floats, Grid, Pixels
from psgimg.finetune.explaining.faithfulness import ORDERS, SHARES, WAYS, Curves, Verdict, verdict
from psgimg.finetune.explaining.margins import margin
from psgimg.finetune.metrics.jackknife import Interval, mean


@dataclass(frozen=True, eq=False)
class Overlay:
    """A page to be drawn: its pixels (height, width, 3) and their attributions (height, width)."""

    pixels: Pixels
    values: Floats


@dataclass(frozen=True, eq=False)
class Explained:
    """The explanation of one page.

    Parameters
    ----------
    page
        Identity and scored stage of the page.
    lanes
        Derivations drawn; None for an absent lane.
    log_probs : (5,)
        Log-probabilities of the five answers.
    cells, ink : (n_lanes, n_windows)
        Attribution in nats of the margin, and number of pixels with ink.
    seconds : (30,)
        Attribution by second.
    without_lane : (n_fills, n_lanes, 5)
        Log-probabilities of the five answers when a whole lane is filled.
    curves
        Deletion and insertion curves; None if there was no other page to test with.
    overlay
        Pixels with their attributions, for the pages that are drawn.
    """

    page: Page
    lanes: tuple[str | None, ...]
    log_probs: Floats
    cells: Floats
    ink: Floats
    seconds: Floats
    without_lane: Floats
    curves: Curves | None = None
    overlay: Overlay | None = None

    @property
    def stage(self) -> int:
        """The model's answer, which is what is explained, right or wrong."""
        return int(self.log_probs.argmax())

    @property
    def right(self) -> bool:
        """Whether the answer agrees with the reference scorer."""
        return STAGE_NAMES[self.stage] == self.page.stage

    @property
    def margin(self) -> float:
        """Log-probability of the answer minus that of the best other answer."""
        return float(margin(self.log_probs[None], self.stage)[0])

    @property
    def shares(self) -> Floats:
        """(n_lanes,) share of each lane in the evidence for the answer; NaN for an absent lane.

        The cells of a lane are summed first, so that noise cancels; a lane whose sum is negative has
        a share of 0.
        """
        sums = self._masked(np.maximum(self.cells.sum(axis=1), 0))
        total = np.nansum(sums)
        return sums / total if total > 0 else np.full_like(sums, np.nan)

    @property
    def drops(self) -> Floats:
        """(n_lanes,) drop in the margin when a whole lane is filled; NaN for an absent lane."""
        n_fills, n_lanes, n_stages = self.without_lane.shape
        margins = margin(self.without_lane.reshape(-1, n_stages), self.stage)
        return self._masked(self.margin - margins.reshape(n_fills, n_lanes).mean(axis=0))

    @property
    def turns(self) -> Floats:
        """(n_lanes,) proportion of fills of a lane that change the answer; NaN for an absent lane."""
        return self._masked((self.without_lane.argmax(axis=2) != self.stage).mean(axis=0))

    def _masked(self, values: Floats) -> Floats:
        absent = np.array([name is None for name in self.lanes])
        return np.where(absent, np.nan, values)


@dataclass(frozen=True)
class StageSummary:
    """Explanation of the answers of one stage: means over their pages, one per lane.

    Parameters
    ----------
    n_pages, n_right
        Number of pages with this answer, and of those on which the reference scorer agrees.
    shares, drops, turns
        Means of the properties of ``Explained``.
    seconds : (30,)
        Mean attribution by second.
    """

    n_pages: int
    n_right: int
    shares: tuple[Interval, ...]
    drops: tuple[Interval, ...]
    turns: tuple[Interval, ...]
    seconds: Floats

    @property
    def most(self) -> int:
        """Index of the lane with the greatest share; -1 if no lane has one."""
        values = [lane.value for lane in self.shares]
        return -1 if np.isnan(values).all() else int(np.nanargmax(values))


@dataclass(frozen=True, eq=False)
class Summary:
    """The explanation of a whole run.

    Parameters
    ----------
    lanes
        Names of the lanes, from top to bottom.
    pages
        The explained pages.
    stages
        Summary by the model's answer; stages that it never answered are absent.
    curves
        (way, order) → (11,) mean margin in nats over the tested pages; NaN if there are none.
    verdict
        Whether the explanations are faithful.
    """

    lanes: tuple[str, ...]
    pages: tuple[Explained, ...]
    stages: dict[str, StageSummary]
    curves: dict[tuple[str, str], Floats]
    verdict: Verdict

    @property
    def n_tested(self) -> int:
        """Number of pages whose explanation was tested."""
        return sum(explained.curves is not None for explained in self.pages)

    @property
    def n_subjects(self) -> int:
        """Number of subjects among the pages."""
        return len({explained.page[:2] for explained in self.pages})

    @property
    def n_recordings(self) -> int:
        """Number of recordings among the pages."""
        return len({explained.page[:3] for explained in self.pages})


def summarise(pages: Sequence[Explained], grid: Grid) -> Summary:
    """Return means over pages, with intervals over subjects."""
    stages = {}
    for stage, name in enumerate(STAGE_NAMES):
        own = [explained for explained in pages if explained.stage == stage]
        if own:
            stages[name] = _stage(own, [explained.page[:2] for explained in own])
    tested = [(page.curves, page.page[:2]) for page in pages if page.curves]
    tests, subjects = [curves for curves, _ in tested], [subject for _, subject in tested]
    curves = {
        (way, order): np.mean([getattr(test, way)[order] for test in tests], axis=0)
        if tests
        else np.full(len(SHARES), np.nan)
        for way in WAYS
        for order in ORDERS
    }
    return Summary(grid.lanes, tuple(pages), stages, curves, verdict(tests, subjects))


def count(pages: Sequence[Explained], stage: int) -> int:
    """Return the number of pages with this answer."""
    return sum(explained.stage == stage for explained in pages)


def _stage(pages: Sequence[Explained], subjects: Sequence[Hashable]) -> StageSummary:
    def means(values: Sequence[Floats]) -> tuple[Interval, ...]:
        return tuple(mean(column, subjects) for column in np.array(values).T)

    return StageSummary(
        n_pages=len(pages),
        n_right=sum(explained.right for explained in pages),
        shares=means([explained.shares for explained in pages]),
        drops=means([explained.drops for explained in pages]),
        turns=means([explained.turns for explained in pages]),
        seconds=np.mean([explained.seconds for explained in pages], axis=0),
    )
