"""Stager: what can stage a night, by pictures or by signals, and what it says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.progress import Progress
from psgimg.builder.signals.polarity import Polarity
from psgimg.builder.signals.quality import LaneQuality
from psgimg.builder.unscored_night import UnscoredNight

Lights = tuple[float | None, float | None]


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a stager says of a night.

    Parameters
    ----------
    probabilities : (n, 5)
        Of every epoch of the night's grid, in the order of ``STAGE_NAMES``; NaN where it has none.
    quality
        Derivation in each recorded lane → share of the staged epochs with each defect of the signal.
    polarity
        Whether EEG and EOG were turned over, and why.
    notes
        What was found while the signals were read, a line each.
    left_out
        Reason → number of epochs with a signal that it did not stage.
    page_probabilities : (n, 5) or None
        Those of each page by itself, if the night was decoded as a whole; else None.
    """

    probabilities: npt.NDArray[np.float64]
    quality: Mapping[str, LaneQuality]
    polarity: Polarity
    notes: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    page_probabilities: npt.NDArray[np.float64] | None = None


class Stager(Protocol):
    """A stager and a night whose channels are chosen for it; no sample is read yet."""

    @property
    def night(self) -> UnscoredNight:
        """The night."""

    @property
    def name(self) -> str:
        """Who stages it, and from what: ``YASA 0.8.1, from signals``."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs from the nights that it learned from, a line each."""

    @property
    def unseen_lanes(self) -> str | None:
        """The absent lanes ("" for none) if it never learned from nights without just these."""

    @property
    def doubt(self) -> str:
        """Why every epoch should be reviewed for another reason; empty if there is none."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it is and what it learned from, as JSON values for ``statistics.json``."""

    def stage(self, lights_s: Lights, progress: Progress) -> Opinion:
        """Read the signals and stage the epochs that have them.

        Parameters
        ----------
        lights_s
            Seconds from the recording's start to lights off and lights on; None if not given.
        """
