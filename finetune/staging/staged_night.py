"""Staged night: a model's stage probabilities for every epoch of a recording, and derived values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.quality import LaneQuality
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored_night import Grid
from psgimg.finetune.metrics import sleep_statistics
from psgimg.finetune.metrics.sleep_statistics import UNSCORED, SleepStatistics

if TYPE_CHECKING:
    import pandas as pd


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
    grid
        The epochs; None for epochs of 30 s that follow each other from the recording's start.
    scoring
        Name of the scoring whose epochs they are; else "".
    unseen_lanes
        The absent lanes ("" for none) if the model was never shown pages without just these, for which
        every epoch should be reviewed; else None.
    page_probabilities : (n, 5) or None
        Those of each page by itself, if the night was decoded as a whole; else None.
    staged_by
        Who staged it, and from what: ``YASA 0.8.1, from signals``; "" if it is not known.
    doubt
        Why every epoch should be reviewed for another reason; "" if there is none.
    chosen : (n,)
        Stages that a person decided on, ``UNSCORED`` for none; None for the most likely ones.
    marked : (n,)
        Whether an epoch is still to be reviewed; None judges by the confidence.
    """

    name: str
    start: datetime | None
    probabilities: npt.NDArray[np.float64]
    lights_off_s: float | None
    lights_on_s: float | None
    review_below: float
    unscored: Mapping[str, int]
    quality: Mapping[str, LaneQuality] = field(default_factory=dict)
    grid: Grid | None = None
    scoring: str = ""
    unseen_lanes: str | None = None
    page_probabilities: npt.NDArray[np.float64] | None = None
    staged_by: str = ""
    doubt: str = ""
    chosen: npt.NDArray[np.int64] | None = None
    marked: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    @cached_property
    def own_grid(self) -> Grid:
        """The epochs."""
        return self.grid or Grid.regular(len(self))

    @property
    def epoch_s(self) -> float:
        """Length of an epoch in seconds."""
        return self.own_grid.epoch_s

    @property
    def epochs(self) -> tuple[int, ...]:
        """Numbers of the epochs, counted from the recording's start."""
        return self.own_grid.epochs

    @property
    def onsets_s(self) -> npt.NDArray[np.float64]:
        """(n,) seconds from the recording's start to each epoch."""
        return np.array(self.own_grid.onsets_s, np.float64)

    @property
    def end_s(self) -> float:
        """End of the last epoch in seconds from the recording's start."""
        return float(self.onsets_s[-1]) + self.epoch_s if len(self) else 0.0

    @cached_property
    def confidence(self) -> npt.NDArray[np.float64]:
        """(n,) probability of the most likely stage; NaN without a stage."""
        highest: npt.NDArray[np.float64] = self.probabilities.max(axis=1)
        return highest

    @cached_property
    def stages(self) -> npt.NDArray[np.int64]:
        """(n,) stage: the one decided on, or the most likely; ``UNSCORED`` without one."""
        return _likeliest(self.probabilities) if self.chosen is None else self.chosen

    @property
    def names(self) -> list[str]:
        """Names of the stages; empty for an epoch without one."""
        return _names(self.stages)

    @property
    def page_names(self) -> list[str]:
        """Names of the stages of each page by itself; as ``names`` if the night was not decoded."""
        pages = self.page_probabilities
        return self.names if pages is None else _names(_likeliest(pages))

    @cached_property
    def review(self) -> npt.NDArray[np.bool_]:
        """(n,) whether an epoch should be reviewed by a scorer."""
        if self.marked is not None:
            return self.marked
        below = self.review_below if self.unseen_lanes is None and not self.doubt else np.inf
        return self.confidence < below  # False where it is NaN

    @property
    def in_bed(self) -> slice:
        """Epochs from lights off to lights on: those that are in between by more than half."""
        middles_s = self.onsets_s + self.epoch_s / 2
        off_s, on_s = self.lights_off_s, self.lights_on_s
        first = 0 if off_s is None else int(np.searchsorted(middles_s, off_s, "right"))
        stop = len(self) if on_s is None else int(np.searchsorted(middles_s, on_s, "left"))
        return slice(first, max(first, stop))

    @cached_property
    def statistics(self) -> SleepStatistics:
        """Sleep statistics from lights off to lights on."""
        return sleep_statistics.statistics(self._without_gaps(self.in_bed), self.epoch_s)

    def _without_gaps(self, part: slice) -> npt.NDArray[np.int64]:
        """Return the stages of some epochs, with the time between them as epochs without a stage."""
        stages, onsets_s = self.stages[part], self.onsets_s[part]
        gaps = np.rint(np.diff(onsets_s) / self.epoch_s).astype(int) - 1
        return np.insert(stages, np.repeat(np.arange(1, len(stages)), gaps), UNSCORED)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each epoch: number, onset, stage, probabilities, confidence, whether to review it."""
        import pandas as pd

        return pd.DataFrame(
            {
                "epoch": self.epochs,
                "onset_s": self.onsets_s,
                "stage": [name or None for name in self.names],
                **{f"p_{name}": self.probabilities[:, i] for i, name in enumerate(STAGE_NAMES)},
                "confidence": self.confidence,
                "review": self.review,
            }
        )

    def clock(self, time_s: float) -> str:
        """Return the time of day as ``HH:MM:SS``; time since the start if the start is unknown."""
        if self.start is not None:
            return f"{self.start + timedelta(seconds=time_s):%H:%M:%S}"
        minutes, seconds = divmod(round(time_s), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _likeliest(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return (n,) the most likely stage; ``UNSCORED`` where a row is NaN."""
    stages = np.nan_to_num(probabilities).argmax(axis=1)
    return np.where(np.isnan(probabilities).any(axis=1), UNSCORED, stages)


def _names(stages: npt.NDArray[np.int64]) -> list[str]:
    return [STAGE_NAMES[stage] if stage != UNSCORED else "" for stage in stages]
