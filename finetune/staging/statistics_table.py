"""Statistics table: the sleep statistics of a staged night as lines of text for a report."""

from __future__ import annotations

import math

from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import percent
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.staging.staged_night import StagedNight

Lines = list[tuple[str, str]]


def times(night: StagedNight) -> Lines:
    """Return the limits of the period that the statistics cover."""
    off, on = night.lights_off_s, night.lights_on_s
    what = "scoring" if night.scoring else "recording"
    onsets_s = night.onsets_s[night.in_bed]
    begin_s = float(onsets_s[0]) if len(onsets_s) else night.end_s
    end_s = float(onsets_s[-1]) + night.epoch_s if len(onsets_s) else night.end_s
    return [
        (f"{what} starts" if off is None else "lights off", night.clock(begin_s)),
        (f"{what} ends" if on is None else "lights on", night.clock(end_s)),
    ]


def figures(night: StagedNight) -> Lines:
    """Return name and value of each sleep statistic; a dash where undefined."""
    statistics = night.statistics
    lines = [
        ("total recording time (TRT)", _minutes(statistics.trt_min)),
        ("total sleep time (TST)", _minutes(statistics.tst_min)),
        ("sleep efficiency", _percent(statistics.sleep_efficiency_pct)),
        ("sleep onset latency", _minutes(statistics.sol_min)),
        ("REM latency, from sleep onset", _minutes(statistics.rem_latency_min)),
        (
            "WASO, to lights on" if night.lights_on_s is not None else "WASO, to the end",
            _minutes(statistics.waso_min),
        ),
        ("WASO, to the last sleep", _minutes(statistics.waso_in_spt_min)),
        ("awakenings", str(statistics.awakenings)),
        ("stage shifts", str(statistics.stage_shifts)),
    ]
    if statistics.unscored_min:
        lines.append(("without a stage", _minutes(statistics.unscored_min)))
    return lines


def stages(night: StagedNight) -> list[tuple[str, str, str]]:
    """Return each stage with its minutes and its percentage of total sleep time."""
    statistics = night.statistics
    return [
        (
            name,
            _minutes(statistics.stage_min[name]),
            "" if name == "W" else _percent(statistics.stage_pct[name]),
        )
        for name in STAGE_NAMES
    ]


def review(night: StagedNight) -> str:
    """Return a sentence on how many epochs from lights off to lights on should be reviewed."""
    n_staged = int((night.stages[night.in_bed] != UNSCORED).sum())
    n_low = int(night.review[night.in_bed].sum())
    share = f" ({percent(n_low / n_staged, 1)})" if n_staged else ""
    are = "is" if n_low == 1 else "are"
    why = night.doubt or f"confidence below {night.review_below:g}"
    if night.unseen_lanes is not None:
        which = (
            f"pages without just {night.unseen_lanes}" if night.unseen_lanes else "complete pages"
        )
        why = f"the model was never shown {which}"
    return f"{n_low:,} of {n_staged:,} epochs{share} {are} marked for review: {why}"


def _minutes(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f} min"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f} %"
