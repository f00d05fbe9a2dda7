"""YASA stager: YASA's own classifiers, pre-trained on about 3000 nights of seven NSRR corpora.

They are used without further training. They require central EEG, so recordings without C3 or C4 are
left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from psgimg.builder.lane_signals import Lanes
from psgimg.builder.signals.epoching import Paged
from psgimg.finetune.baselines import windows
from psgimg.finetune.baselines.nights import Night
from psgimg.finetune.metrics.disclosure import Elsewhere

CENTRAL_ONLY = "YASA's stager requires central EEG, C3 or C4"
LEARNED_FROM = Elsewhere(
    "YASA's stager",
    ("ccshs", "cfs", "chat", "homepap", "mesa", "mros", "shhs"),
    "Vallat and Walker 2021, eLife 10:e70092; github.com/raphaelvallat/yasa_classifiers",
)
"""Corpora of which YASA's authors drew nights at random to train its classifiers."""

STAGES = ["WAKE", "N1", "N2", "N3", "REM"]
"""YASA's stage names, in the order of ``STAGE_NAMES``."""


def supports(night: Night) -> bool:
    """Return whether a night has a lane that the classifiers support."""
    return any(name and windows.CENTRAL.match(name) for name in night.drawn)


def notes(target: Sequence[Night]) -> list[str]:
    """Return which nights of the target split have no central EEG lane, in one line if there are any."""
    others = [night for night in target if not supports(night)]
    if not others:
        return []
    return [
        f"yasa: {CENTRAL_ONLY}; {len(others)} of {len(target)} recordings have no such lane, such "
        f"as {others[0].key.recording}, and are left out"
    ]


def of_night(night: Night) -> npt.NDArray[np.float64]:
    """Return (n_pages, 5) probabilities of a night that has a central EEG lane."""
    return of_lanes(night.read(filtered=False))


def of_lanes(
    lanes: Lanes[Paged], person: Mapping[str, int] | None = None
) -> npt.NDArray[np.float64]:
    """Return (n_pages, 5) probabilities of the pages of some lanes.

    Parameters
    ----------
    lanes
        Unfiltered, at the sampling rate of YASA.
    person
        ``age`` in years and ``male``, 1 or 0; None if they are not known.
    """
    chosen = windows.channels(lanes)
    values = np.empty((len(lanes.epochs), len(STAGES)))
    for grid in windows.grids(lanes):
        with warnings.catch_warnings():  # the classifiers were pickled by an older scikit-learn
            warnings.simplefilter("ignore")
            proba = windows.staging(grid, chosen, person).predict().proba
        values[grid.pages] = proba[STAGES].to_numpy()[grid.windows]
    return values
