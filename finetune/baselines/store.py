"""Store: the filtered signals of all pages of some nights, memory-mapped while a network trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.finetune.baselines import nights
from psgimg.finetune.baselines.nights import PAGE_SAMPLES, Night, Task
from psgimg.finetune.data.votes import Votes

Pages = npt.NDArray[np.float16]

LARGEST = 20.0
"""Limit of scaled samples, in interquartile ranges, so that a loose electrode does not dominate."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Centre and width of each lane in µV: medians over nights of the median and interquartile range.

    Parameters
    ----------
    centre_uv, width_uv : (n_lanes, 1) float32
    """

    centre_uv: npt.NDArray[np.float32]
    width_uv: npt.NDArray[np.float32]

    def apply(self, pages_uv: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Scale pages (n, n_lanes, n_samples) to centre 0 and width 1; an absent lane becomes 0."""
        scaled = (pages_uv.astype(np.float32) - self.centre_uv) / self.width_uv
        cut: npt.NDArray[np.float32] = np.clip(np.nan_to_num(scaled), -LARGEST, LARGEST)
        return cut


@dataclass(frozen=True, eq=False)
class Store:
    """Pages of some nights, in the order of the nights.

    Parameters
    ----------
    pages_uv : (n, n_lanes, n_samples) float16, memory-mapped
    targets : (n, 5) float32
        Share of the scorers who chose each stage; 1 for the label where one is learned from.
    scale
        Scale of these nights.
    """

    pages_uv: npt.NDArray[np.float16]
    targets: npt.NDArray[np.float32]
    scale: Scale


def pages_of(night: Night) -> npt.NDArray[np.float16]:
    """Return the filtered pages of a night in µV, (n, n_lanes, n_samples); NaN without a signal.

    Half precision resolves 0.06 µV at 100 µV and keeps a night within 70 MB.
    """
    lanes = night.read(filtered=True)
    pages_uv = lanes.pages_uv()
    pages_uv[:, ~np.array(lanes.live)] = np.nan
    limit = float(np.finfo(np.float16).max)
    return np.clip(pages_uv, -limit, limit).astype(np.float16)


def fill(
    path: Path,
    chosen: Sequence[Night],
    what: str,
    task: Task,
    votes: Votes | None = None,
    prepare: Callable[[Night], Pages] = pages_of,
) -> Store:
    """Write the pages of some nights to a file and memory-map it.

    Parameters
    ----------
    votes
        To learn from all scorers; None: from the labels.
    prepare
        Returns the pages of a night, in a worker process.
    """
    stops = np.cumsum([len(night.epochs) for night in chosen])
    n_lanes = len(chosen[0].origin.spec.recipe.montage.lanes)
    shape = (int(stops[-1]), n_lanes, PAGE_SAMPLES)
    pages_uv = np.memmap(path, np.float16, "w+", shape=shape)
    stop_of = dict(zip(chosen, stops.tolist(), strict=True))
    quartiles = {}
    for night, pages in nights.process(chosen, prepare, what, task):
        pages_uv[stop_of[night] - len(pages) : stop_of[night]] = pages
        quartiles[night] = _quartiles(pages)
    targets = np.concatenate([night.scorers(votes).shares for night in chosen])
    scale = _scale(np.stack([quartiles[night] for night in chosen]))
    return Store(pages_uv, targets, scale)


def in_own_scale(pages_uv: Pages) -> Pages:
    """Return the pages of a night scaled by its own medians and interquartile ranges."""
    return _scale(_quartiles(pages_uv)[None]).apply(pages_uv).astype(np.float16)


def _quartiles(pages_uv: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Return (n_lanes, 3) quartiles of each lane in µV; NaN for a lane without a signal."""
    lanes = np.moveaxis(pages_uv, 1, 0).reshape(pages_uv.shape[1], -1)[:, ::10]
    quartiles: npt.NDArray[np.float64] = np.percentile(
        lanes.astype(np.float64), (25, 50, 75), axis=1
    ).T
    return quartiles


def _scale(quartiles: npt.NDArray[np.float64]) -> Scale:
    """Return the scale of all nights from the quartiles of each, (n_nights, n_lanes, 3)."""
    present = np.asarray(np.isfinite(quartiles[..., 0]).any(axis=0))
    centre, width = np.zeros(len(present), np.float32), np.ones(len(present), np.float32)
    recorded = quartiles[:, present]
    centre[present] = np.nanmedian(recorded[..., 1], axis=0)
    width[present] = np.nanmedian(recorded[..., 2] - recorded[..., 0], axis=0)
    width[width <= 0] = 1.0
    return Scale(centre[:, None], width[:, None])
