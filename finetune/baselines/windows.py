"""Windows: gapless signals for YASA, arranged so that its 30-s windows coincide with the pages.

YASA divides a gapless signal into windows of 30 s from its first sample. The pages of contiguous 30-s
epochs fit one such grid; gaps in the signal or the scoring, and epochs of 20 s, require several. Each
grid is passed to YASA separately.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psgimg.builder.lane_signals import Lanes
from psgimg.builder.signals.epoching import Paged, place
from psgimg.finetune.baselines.nights import PAGE_SAMPLES, SFREQ_HZ

if TYPE_CHECKING:
    import yasa

CENTRAL = re.compile(r"C[34]-")
"""Derivations that YASA's own classifiers were trained on."""

V_PER_UV = 1e-6


@dataclass(frozen=True)
class Channels:
    """Index of the lane used as each of YASA's channels; None if no lane is suitable."""

    eeg: int
    eog: int | None
    emg: int | None


@dataclass(frozen=True, eq=False)
class Grid:
    """Gapless signal whose 30-s windows are pages, or in between two pages.

    Parameters
    ----------
    data_uv : (n_lanes, n_windows * PAGE_SAMPLES) float32
    pages, windows : (n,) int
        Indices of some pages of the recording, and of the corresponding windows.
    """

    data_uv: npt.NDArray[np.float32]
    pages: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]


def channels(lanes: Lanes[Paged]) -> Channels:
    """Select the lanes to use: a live central EEG, else another live EEG, else any EEG.

    An EMG recorded as a level has no waveform and is not used.
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


def grids(lanes: Lanes[Paged]) -> Iterator[Grid]:
    """Yield the grids of a recording; every page is in exactly one of them."""
    groups: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    stretches = lanes.signals.stretches
    for page, epoch in enumerate(lanes.epochs):
        stretch, first = place(lanes.signals, epoch)
        groups[stretch, first % PAGE_SAMPLES].append((page, first))
    for (stretch, _), members in groups.items():
        pages, firsts = np.array(members, np.int64).T
        stop = firsts[-1] + PAGE_SAMPLES
        data_uv = stretches[stretch].part(firsts[0], stop)
        short = stop - firsts[0] - data_uv.shape[1]  # resampling may lose the last sample
        data_uv = np.pad(data_uv, ((0, 0), (0, short)), mode="edge")
        yield Grid(data_uv, pages, (firsts - firsts[0]) // PAGE_SAMPLES)


def staging(
    grid: Grid, chosen: Channels, person: Mapping[str, int] | None = None
) -> yasa.SleepStaging:
    """Return YASA's stager for the signal of a grid.

    Parameters
    ----------
    person
        ``age`` in years and ``male``, 1 or 0; None if they are not known.
    """
    import mne
    import yasa

    parts = {"eeg": chosen.eeg, "eog": chosen.eog, "emg": chosen.emg}
    present = {kind: lane for kind, lane in parts.items() if lane is not None}
    info = mne.create_info(list(present), SFREQ_HZ, list(present))
    data_v = grid.data_uv[list(present.values())].astype(np.float64) * V_PER_UV
    raw = mne.io.RawArray(data_v, info, verbose=False)
    names = {f"{kind}_name": kind for kind in present if kind != "eeg"}
    metadata = dict(person) if person else None
    return yasa.SleepStaging(raw, "eeg", metadata=metadata, **names)
