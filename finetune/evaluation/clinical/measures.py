"""Measures: the sleep statistics of a night in which predictions are compared with the scorer.

Tables, pictures and files take names, units and order from here; a measure added to ``MEASURES``
appears in all of them. Definitions are in :mod:`psgimg.finetune.metrics.sleep_statistics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.sleep_statistics import SleepStatistics


@dataclass(frozen=True)
class Measure:
    """A sleep statistic.

    Parameters
    ----------
    key
        Name in ``metrics.json`` and ``recordings.csv``.
    title
        Full name, used where the measure has a row of its own.
    short
        Name in pictures, in the terminal and as a heading.
    unit
        ``min`` or ``%``.
    of
        Its value; NaN where undefined.
    headline
        Whether it is shown in the terminal.
    """

    key: str
    title: str
    short: str
    unit: str
    of: Callable[[SleepStatistics], float]
    headline: bool = True


def _stage_min(stage: str, statistics: SleepStatistics) -> float:
    return statistics.stage_min[stage]


MEASURES: tuple[Measure, ...] = (
    Measure("tst_min", "total sleep time (TST)", "TST", "min", attrgetter("tst_min")),
    Measure(
        "sleep_efficiency_pct",
        "sleep efficiency",
        "sleep efficiency",
        "%",
        attrgetter("sleep_efficiency_pct"),
    ),
    Measure("sol_min", "sleep onset latency (SOL)", "SOL", "min", attrgetter("sol_min")),
    Measure(
        "rem_latency_min",
        "REM latency, from sleep onset",
        "REM latency",
        "min",
        attrgetter("rem_latency_min"),
    ),
    Measure("waso_min", "wake after sleep onset (WASO)", "WASO", "min", attrgetter("waso_min")),
    *(
        Measure(
            f"minutes_{stage}",
            f"minutes of {stage}",
            stage,
            "min",
            partial(_stage_min, stage),
            headline=False,
        )
        for stage in STAGE_NAMES
    ),
)
"""In the order of presentation."""
