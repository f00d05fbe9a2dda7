"""Sleep statistics: those of an AASM report, computed from a hypnogram. NumPy only.

All values but percentages and counts are in minutes, and defined as in the AASM manual. Two of YASA's
``Hypnogram.sleep_statistics`` are defined otherwise: its WASO ends with the last epoch of sleep, as
``waso_in_spt_min`` does, whereas the manual's (``waso_min``) ends at lights on; and its REM latency
begins at lights off, whereas the manual's (``rem_latency_min``) begins at sleep onset.

An epoch without a stage is neither sleep nor wake: it counts towards the recording time, towards the
sleep period if there is sleep before and after it, and towards latencies that span it; it lowers the
sleep efficiency, and is not part of TST, WASO or any transition.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES, Stage

UNSCORED = -1

Stages = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SleepStatistics:
    """Sleep statistics of a night; NaN where undefined, such as latencies without any sleep.

    Parameters
    ----------
    trt_min
        Total recording time: lights off to lights on (YASA's TIB).
    tst_min
        Total sleep time.
    spt_min
        Sleep period time: from the first epoch of sleep to the last, wake between them included.
    sleep_efficiency_pct, sleep_maintenance_pct
        TST as a percentage of TRT and of SPT.
    sol_min
        Sleep onset latency: lights off to the first epoch of any sleep stage.
    rem_latency_min
        First epoch of sleep to the first epoch of REM.
    waso_min
        Wake after sleep onset, to lights on, the final awakening included: TRT − SOL − TST where
        every epoch has a stage.
    waso_in_spt_min
        Wake after sleep onset, to the last epoch of sleep (YASA's WASO).
    wake_after_spt_min
        Wake from the last epoch of sleep to lights on: the difference of the two.
    awakenings
        Number of wake epochs that follow an epoch of sleep.
    stage_min
        Minutes in each of the five stages, within the total recording time.
    stage_pct
        Each of the four sleep stages as a percentage of TST.
    latency_min
        Lights off to the first epoch of each sleep stage.
    unscored_min
        Minutes without a stage.
    stage_shifts
        Number of epochs whose stage differs from that of the epoch before.
    transitions
        Stage → stage of the next epoch → number of transitions, remaining in a stage included.
    """

    trt_min: float
    tst_min: float
    spt_min: float
    sleep_efficiency_pct: float
    sleep_maintenance_pct: float
    sol_min: float
    rem_latency_min: float
    waso_min: float
    waso_in_spt_min: float
    wake_after_spt_min: float
    awakenings: int
    stage_min: Mapping[str, float]
    stage_pct: Mapping[str, float]
    latency_min: Mapping[str, float]
    unscored_min: float
    stage_shifts: int
    transitions: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics as JSON values; None where undefined."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


def statistics(stages: Stages, epoch_s: float = 30.0) -> SleepStatistics:
    """Compute the sleep statistics of the epochs from lights off to lights on.

    Parameters
    ----------
    stages
        (n,) 0 to 4 in the order of ``STAGE_NAMES``, ``UNSCORED`` for an epoch without a stage. Epochs
        are contiguous.
    epoch_s
        Length of an epoch in seconds.
    """
    per_min = 60 / epoch_s
    counts = [int((stages == stage).sum()) for stage in Stage]
    asleep = stages > Stage.W
    awake = stages == Stage.W
    n_sleep = int(asleep.sum())
    first, last = _ends(asleep)
    spt = last - first + 1 if n_sleep else 0
    table = transitions(stages)
    return SleepStatistics(
        trt_min=len(stages) / per_min,
        tst_min=n_sleep / per_min,
        spt_min=spt / per_min,
        sleep_efficiency_pct=_percent(n_sleep, len(stages)),
        sleep_maintenance_pct=_percent(n_sleep, spt),
        sol_min=_latency(asleep) / per_min,
        rem_latency_min=(_latency(stages == Stage.REM) - _latency(asleep)) / per_min,
        waso_min=int(awake[first:].sum()) / per_min if n_sleep else math.nan,
        waso_in_spt_min=int(awake[first : last + 1].sum()) / per_min if n_sleep else math.nan,
        wake_after_spt_min=int(awake[last + 1 :].sum()) / per_min if n_sleep else math.nan,
        awakenings=int(table[1:, Stage.W].sum()),
        stage_min={name: n / per_min for name, n in zip(STAGE_NAMES, counts, strict=True)},
        stage_pct={stage.name: _percent(counts[stage], n_sleep) for stage in Stage if stage},
        latency_min={stage.name: _latency(stages == stage) / per_min for stage in Stage if stage},
        unscored_min=int((stages == UNSCORED).sum()) / per_min,
        stage_shifts=int(table.sum() - np.trace(table)),
        transitions={
            name: dict(zip(STAGE_NAMES, row, strict=True))
            for name, row in zip(STAGE_NAMES, table.tolist(), strict=True)
        },
    )


def transitions(stages: Stages) -> Stages:
    """Return (5, 5) the number of epochs by stage (columns) and stage of the epoch before (rows).

    Pairs in which either epoch has no stage are not counted.
    """
    before, after = stages[:-1], stages[1:]
    both = (before != UNSCORED) & (after != UNSCORED)
    table = np.zeros((len(Stage), len(Stage)), np.int64)
    np.add.at(table, (before[both], after[both]), 1)
    return table


def _ends(mask: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first and last index at which a mask is true; (0, -1) if there is none."""
    indices = np.flatnonzero(mask)
    return (int(indices[0]), int(indices[-1])) if len(indices) else (0, -1)


def _latency(mask: npt.NDArray[np.bool_]) -> float:
    """Return the number of epochs before the first at which a mask is true; NaN if there is none."""
    return float(np.argmax(mask)) if mask.any() else math.nan


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else math.nan


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
