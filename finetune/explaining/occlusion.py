"""Occlusion: what a model's margin loses when one cell shows something else. The default way."""

from __future__ import annotations

import numpy as np
from psgimg.finetune.explaining import cells
from psgimg.finetune.explaining.cells import Floats, Grid
from psgimg.finetune.explaining.margins import Asking, Case, margin


def by_lane(case: Case, ask: Asking, grid: Grid) -> Floats:
    """(n_fills, 1 + n_lanes, 5) log-probabilities of each fill, and of the page with its lanes."""
    masks = [np.ones(grid.page, np.bool_), *map(grid.lane, range(grid.shape[0]))]
    changed = (cells.mixed(case.pixels, fill, mask) for fill in case.fills for mask in masks)
    return ask(case, changed).reshape(len(case.fills), len(masks), -1)


def density(case: Case, stage: int, whole: float, ask: Asking, grid: Grid) -> Floats:
    """(height, width) what the margin of ``stage`` loses when a cell is filled, mean over the fills.

    Spread evenly over the cell's pixels. A cell that a fill does not change is not asked about.

    Parameters
    ----------
    whole
        Margin of the page.
    """
    units = grid.units
    drops = np.zeros((len(case.fills), units.max() + 1))
    plan = [
        (i, number)
        for i, fill in enumerate(case.fills)
        for number in np.flatnonzero(grid.total(cells.ink(case.pixels, fill)))
    ]
    changed = (cells.mixed(case.pixels, case.fills[i], units == number) for i, number in plan)
    margins = margin(ask(case, changed), stage)
    for (i, number), value in zip(plan, margins, strict=True):
        drops[i, number] = whole - value
    area = grid.total(np.ones(grid.page))
    return np.asarray(grid.spread(drops.mean(axis=0).reshape(grid.shape) / area), np.float64)
