"""Features: YASA's features of every page, computed by YASA from the lanes of the dataset."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
from psgimg.builder.lane_signals import Lanes
from psgimg.builder.signals.epoching import Epoch
from psgimg.finetune.baselines import windows
from psgimg.finetune.baselines.nights import Night
from psgimg.finetune.metrics.disclosure import View

if TYPE_CHECKING:
    import pandas as pd


VIEW = View(before=7, after=7, whole_night=True, time_of_night=True)
"""YASA smooths over 7.5 min around an epoch and over the 2 min before it, scales the result by its
spread over the recording, and adds the time since the beginning."""

OF_THE_NIGHT = re.compile(r".*_norm|time_.*")
"""Features that depend on anything but the samples of their own page."""


def of_pages(night: Night) -> pd.DataFrame:
    """Return the features of a night's pages, each from the samples of its own page alone.

    As for the picture, only the filter reaches some seconds beyond.
    """
    frame = of_night(night)
    return frame[[name for name in frame.columns if not OF_THE_NIGHT.fullmatch(name)]]


def of_night(night: Night) -> pd.DataFrame:
    """Return the features of a night's pages, (n_pages, n_features) float32.

    Features of a channel that the recording lacks have no column. YASA smooths over neighbouring
    windows and scales by the spread of the recording; neither crosses a gap.
    """
    return of(night.read(filtered=False))


def of(lanes: Lanes[Epoch]) -> pd.DataFrame:
    """Return the features of some lanes; see :func:`of_night`."""
    import pandas as pd

    chosen = windows.channels(lanes)
    frames = []
    for grid in windows.grids(lanes):
        with warnings.catch_warnings():  # a flat page gives NaN, as intended
            warnings.simplefilter("ignore")
            frame = windows.staging(grid, chosen).get_features()
        frames.append(frame.iloc[grid.windows].set_axis(grid.pages))
    frame = pd.concat(frames).sort_index()
    # YASA's time features restart with each grid; recompute them for the whole night.
    onsets_s = np.array([epoch.page_start_s for epoch in lanes.epochs])
    onsets_s -= onsets_s[0]
    frame["time_hour"] = onsets_s / 3600
    frame["time_norm"] = onsets_s / max(onsets_s[-1], 1)
    features: pd.DataFrame = pd.concat([frame, _levels(lanes)], axis=1).astype(np.float32)
    return features


def _levels(lanes: Lanes[Epoch]) -> pd.DataFrame:
    """Return the mean of an EMG recorded as a level, and its difference from the night's median."""
    import pandas as pd

    levels = [i for i, on in enumerate(lanes.signals.envelopes) if on and lanes.kinds[i] == "emg"]
    if not levels or not lanes.live[levels[0]]:
        return pd.DataFrame(index=range(len(lanes.epochs)))
    mean = lanes.pages_uv()[:, levels[0]].mean(axis=1)
    return pd.DataFrame({"emg_level": mean, "emg_level_norm": mean - np.median(mean)})
