"""Staged night: a model's stage probabilities for every epoch of a recording, and derived values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.quality import LaneQuality
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import sleep_statistics
from psgimg.finetune.metrics.sleep_statistics import UNSCORED, SleepStatistics

EPOCH_S = 30.0


@dataclass(frozen=True, eq=False)
class StagedNight:
    """Every complete epoch of a recording from its start to its end, with or without a stage.

    Parameters
    ----------
    name
        Name of the recording's file.
    start
        Start of the recording in local time; None if the file does not state it.
    probabilities : (n, 5)
        In the order of ``STAGE_NAMES``; NaN for an epoch that was not staged.
    lights_off_s, lights_on_s
        Seconds from the recording's start; None if not given, in which case the start and the end of
        the recording are used.
    review_below
        Confidence below which an epoch should be reviewed.
    unscored
        Reason → number of epochs without a stage.
    quality
        Derivation in each recorded lane → share of the staged epochs with each defect of the signal.
    """

    name: str
    start: datetime | None
    probabilities: npt.NDArray[np.float64]
    lights_off_s: float | None
    lights_on_s: float | None
    review_below: float
    unscored: Mapping[str, int]
    quality: Mapping[str, LaneQuality] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def onsets_s(self) -> npt.NDArray[np.float64]:
        """(n,) seconds from the recording's start to each epoch."""
        return EPOCH_S * np.arange(len(self), dtype=np.float64)

    @cached_property
    def confidence(self) -> npt.NDArray[np.float64]:
        """(n,) probability of the most likely stage; NaN without a stage."""
        highest: npt.NDArray[np.float64] = self.probabilities.max(axis=1)
        return highest

    @cached_property
    def stages(self) -> npt.NDArray[np.int64]:
        """(n,) most likely stage; ``UNSCORED`` without one."""
        likeliest = np.nan_to_num(self.probabilities).argmax(axis=1)
        return np.where(np.isnan(self.confidence), UNSCORED, likeliest)

    @property
    def names(self) -> list[str]:
        """Names of the stages; empty for an epoch without one."""
        return [STAGE_NAMES[stage] if stage != UNSCORED else "" for stage in self.stages]

    @cached_property
    def review(self) -> npt.NDArray[np.bool_]:
        """(n,) whether an epoch should be reviewed by a scorer."""
        return self.confidence < self.review_below  # False where it is NaN

    @property
    def in_bed(self) -> slice:
        """Epochs from lights off to lights on: those that are in between by more than half."""
        first = 0 if self.lights_off_s is None else round(self.lights_off_s / EPOCH_S)
        stop = len(self) if self.lights_on_s is None else round(self.lights_on_s / EPOCH_S)
        return slice(first, min(stop, len(self)))

    @cached_property
    def statistics(self) -> SleepStatistics:
        """Sleep statistics from lights off to lights on."""
        return sleep_statistics.statistics(self.stages[self.in_bed], EPOCH_S)

    def clock(self, time_s: float) -> str:
        """Return the time of day as ``HH:MM:SS``; time since the start if the start is unknown."""
        if self.start is not None:
            return f"{self.start + timedelta(seconds=time_s):%H:%M:%S}"
        minutes, seconds = divmod(round(time_s), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
