"""Occlusion: drop in a model's margin when one cell or lane is replaced. The default method."""

from __future__ import annotations

import numpy as np
from psgimg.finetune.explaining import cells
from psgimg.finetune.explaining.cells import Floats, Grid
from psgimg.finetune.explaining.margins import Case, PageScorer, margin


def by_lane(case: Case, score: PageScorer, grid: Grid) -> Floats:
    """Return (n_fills, n_lanes, 5) log-probabilities with each lane filled."""
    masks = [grid.lane(number) for number in range(grid.shape[0])]
    changed = (cells.mixed(case.pixels, fill, mask) for fill in case.fills for mask in masks)
    return score(case, changed).reshape(len(case.fills), len(masks), -1)


def density(case: Case, stage: int, whole: float, score: PageScorer, grid: Grid) -> Floats:
    """Return (height, width) drops in the margin of ``stage`` when a cell is filled, in nats.

    Each value is the mean over the fills, spread evenly over the cell's pixels. Cells that a fill
    does not change are not evaluated; their drop is 0.

    Parameters
    ----------
    case
        The page.
    stage
        The model's answer.
    whole
        Margin of the unchanged page.
    score
        The model.
    grid
        Layout of the cells.
    """
    units = grid.units
    drops = np.zeros((len(case.fills), units.max() + 1))
    plan = [
        (i, number)
        for i, fill in enumerate(case.fills)
        for number in np.flatnonzero(grid.total(cells.ink(case.pixels, fill)))
    ]
    changed = (cells.mixed(case.pixels, case.fills[i], units == number) for i, number in plan)
    margins = margin(score(case, changed), stage)
    for (i, number), value in zip(plan, margins, strict=True):
        drops[i, number] = whole - value
    area = grid.total(np.ones(grid.page))
    return np.asarray(grid.spread(drops.mean(axis=0).reshape(grid.shape) / area), np.float64)
