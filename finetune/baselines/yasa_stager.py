"""YASA stager: YASA's own classifiers, which learned from some 3000 nights of the NSRR.

Nothing is learned here. They know central EEG, so a recording without C3 and C4 is left out.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from psgimg.finetune.baselines import nights, windows
from psgimg.finetune.baselines.nights import Night, Outcome, Task

UNKNOWN = "YASA's stager knows central EEG only, C3 or C4"
STAGES = ["WAKE", "N1", "N2", "N3", "REM"]
"""YASA's names, in the order of ours."""


def knows(night: Night) -> bool:
    """Whether a night has a lane that the classifiers know."""
    return any(name and windows.CENTRAL.match(name) for name in night.drawn)


def stage(task: Task) -> Outcome:
    """Stage every night of the asked split that has a central EEG lane."""
    asked = task.nights.asked
    known = [night for night in asked if knows(night)]
    without = [night for night in asked if not knows(night)]
    if without:
        task.progress.note(
            f"yasa: {UNKNOWN}; {len(without)} of {len(asked)} recordings have no lane of them, such "
            f"as {without[0].key.recording}, and are left out"
        )
    staged = {night.key: values for night, values in nights.over(known, of_night, "yasa", task)}
    n_epochs = sum(len(night.epochs) for night in without)
    return Outcome(staged, {"left_out": {"recordings": len(without), "pages": n_epochs}})


def of_night(night: Night) -> npt.NDArray[np.float64]:
    """(n_pages, 5) probabilities of a night that has a central EEG lane."""
    lanes = night.read(filtered=False)
    chosen = windows.channels(lanes)
    values = np.empty((len(lanes.epochs), len(STAGES)))
    for grid in windows.grids(lanes):
        with warnings.catch_warnings():  # pickled by an older scikit-learn, and YASA knows
            warnings.simplefilter("ignore")
            proba = windows.staging(grid, chosen).predict().proba
        values[grid.pages] = proba[STAGES].to_numpy()[grid.windows]
    return values
