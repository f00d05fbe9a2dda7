"""Staged: a night as a model saw it, epoch by epoch, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.staging import statistics
from psgimg.finetune.staging.statistics import UNSCORED, SleepStatistics

EPOCH_S = 30.0


@dataclass(frozen=True, eq=False)
class StagedNight:
    """Every whole epoch from the recording's start to its end, with a stage or without.

    Parameters
    ----------
    name
        Of the recording's file.
    start
        When the recording started, by the clock of where it was; None if the file does not say.
    probabilities : (n, 5)
        In the order of ``STAGE_NAMES``; NaN for an epoch that was not staged.
    lights_off_s, lights_on_s
        Seconds from the recording's start; None where nobody said, and then its start and its end
        count.
    review_below
        Confidence below which a person should look.
    unscored
        Why epochs have no stage, counted.
    """

    name: str
    start: datetime | None
    probabilities: npt.NDArray[np.float64]
    lights_off_s: float | None
    lights_on_s: float | None
    review_below: float
    unscored: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def onsets_s(self) -> npt.NDArray[np.float64]:
        """(n,) seconds from the recording's start to each epoch."""
        return EPOCH_S * np.arange(len(self), dtype=np.float64)

    @cached_property
    def confidence(self) -> npt.NDArray[np.float64]:
        """(n,) probability of the stage that was chosen; NaN where there is none."""
        highest: npt.NDArray[np.float64] = self.probabilities.max(axis=1)
        return highest

    @cached_property
    def stages(self) -> npt.NDArray[np.int64]:
        """(n,) the likeliest stage; ``UNSCORED`` where there is none."""
        likeliest = np.nan_to_num(self.probabilities).argmax(axis=1)
        return np.where(np.isnan(self.confidence), UNSCORED, likeliest)

    @property
    def names(self) -> list[str]:
        """Stages by name; empty for an epoch without one."""
        return [STAGE_NAMES[stage] if stage != UNSCORED else "" for stage in self.stages]

    @cached_property
    def review(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a person should look."""
        return self.confidence < self.review_below  # False where it is NaN

    @property
    def in_bed(self) -> slice:
        """Epochs from lights off to lights on: those more than half of which lie between."""
        first = 0 if self.lights_off_s is None else round(self.lights_off_s / EPOCH_S)
        stop = len(self) if self.lights_on_s is None else round(self.lights_on_s / EPOCH_S)
        return slice(first, min(stop, len(self)))

    @cached_property
    def statistics(self) -> SleepStatistics:
        """Figures from lights off to lights on."""
        return statistics.statistics(self.stages[self.in_bed], EPOCH_S)

    def clock(self, time_s: float) -> str:
        """Time of day; where nobody knows it, hours, minutes and seconds from the start."""
        if self.start is not None:
            return f"{self.start + timedelta(seconds=time_s):%H:%M:%S}"
        minutes, seconds = divmod(round(time_s), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
