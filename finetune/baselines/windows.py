"""Windows: the lanes as YASA takes them, windows of 30 s that are exactly the pages.

YASA cuts gapless signal into windows of 30 s from its first sample on. Pages lie on such a grid as
long as epochs of 30 s follow one another; after a gap or a hole in the scoring, and where epochs
last 20 s, they lie on several. Each grid is handed to YASA by itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psgimg.builder.lane_signals import Lanes
from psgimg.builder.signals.epoching import place
from psgimg.finetune.baselines.nights import PAGE_SAMPLES, SFREQ_HZ

if TYPE_CHECKING:
    import yasa

CENTRAL = re.compile(r"C[34]-")
"""Derivations that YASA's own classifiers learned from."""

V_PER_UV = 1e-6


@dataclass(frozen=True)
class Channels:
    """Number of the lane that plays each part; None where no lane can."""

    eeg: int
    eog: int | None
    emg: int | None


@dataclass(frozen=True, eq=False)
class Grid:
    """Gapless signal whose windows of 30 s are pages, or lie between two of them.

    Parameters
    ----------
    data_uv : (n_lanes, n_windows * PAGE_SAMPLES) float32
    pages, windows : (n,) int
        Numbers of some pages of the recording, and of their windows.
    """

    data_uv: npt.NDArray[np.float32]
    pages: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]


def channels(lanes: Lanes) -> Channels:
    """The lanes to work on: central EEG that lives, then other EEG that lives, then any EEG.

    An EMG that was recorded as a level has no waveform to work on.
    """
    recorded = [
        i
        for i, name in enumerate(lanes.signals.lanes)
        if name is not None and not lanes.signals.envelopes[i]
    ]
    first = {
        kind: next((i for i in recorded if lanes.kinds[i] == kind and lanes.live[i]), None)
        for kind in ("eog", "emg")
    }

    def rank(lane: int) -> tuple[bool, bool]:
        central = CENTRAL.match(lanes.signals.lanes[lane] or "")
        return not lanes.live[lane], central is None

    eeg = min((i for i in recorded if lanes.kinds[i] == "eeg"), key=rank)
    return Channels(eeg, first["eog"], first["emg"])


def grids(lanes: Lanes) -> Iterator[Grid]:
    """The grids on which the pages of a recording lie; every page is in one of them."""
    groups: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    stretches = lanes.signals.stretches
    for page, epoch in enumerate(lanes.epochs):
        stretch, first = place(lanes.signals, epoch)
        groups[stretch, first % PAGE_SAMPLES].append((page, first))
    for (stretch, _), members in groups.items():
        pages, firsts = np.array(members, np.int64).T
        stop = firsts[-1] + PAGE_SAMPLES
        data_uv = stretches[stretch].data_uv[:, firsts[0] : stop]
        short = stop - firsts[0] - data_uv.shape[1]  # rounding of rates may cost the last sample
        data_uv = np.pad(data_uv, ((0, 0), (0, short)), mode="edge")
        yield Grid(data_uv, pages, (firsts - firsts[0]) // PAGE_SAMPLES)


def staging(grid: Grid, chosen: Channels) -> yasa.SleepStaging:
    """YASA's stager of a grid's signal."""
    import mne
    import yasa

    parts = {"eeg": chosen.eeg, "eog": chosen.eog, "emg": chosen.emg}
    there = {kind: lane for kind, lane in parts.items() if lane is not None}
    info = mne.create_info(list(there), SFREQ_HZ, list(there))
    data_v = grid.data_uv[list(there.values())].astype(np.float64) * V_PER_UV
    raw = mne.io.RawArray(data_v, info, verbose=False)
    names = {f"{kind}_name": kind for kind in there if kind != "eeg"}
    return yasa.SleepStaging(raw, "eeg", **names)
