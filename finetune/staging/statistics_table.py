"""Words: the figures of a staged night as a report lists them."""

from __future__ import annotations

import math

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.staging.staged_night import EPOCH_S, StagedNight
from psgimg.finetune.staging.statistics import UNSCORED

Lines = list[tuple[str, str]]


def times(night: StagedNight) -> Lines:
    """What the figures are counted over."""
    off, on = night.lights_off_s, night.lights_on_s
    span = night.in_bed
    return [
        ("recording starts" if off is None else "lights off", night.clock(EPOCH_S * span.start)),
        ("recording ends" if on is None else "lights on", night.clock(EPOCH_S * span.stop)),
    ]


def figures(night: StagedNight) -> Lines:
    """The sleep statistics; a dash where one is not defined."""
    found = night.statistics
    lines = [
        ("total recording time (TRT)", _minutes(found.trt_min)),
        ("total sleep time (TST)", _minutes(found.tst_min)),
        ("sleep efficiency", _percent(found.sleep_efficiency_pct)),
        ("sleep onset latency", _minutes(found.sol_min)),
        ("REM latency, from sleep onset", _minutes(found.rem_latency_min)),
        ("WASO, until the last sleep", _minutes(found.waso_min)),
        ("wake after the last sleep", _minutes(found.wake_after_sleep_min)),
        ("awakenings", str(found.awakenings)),
        ("stage shifts", str(found.stage_shifts)),
    ]
    if found.unscored_min:
        lines.append(("without a stage", _minutes(found.unscored_min)))
    return lines


def stages(night: StagedNight) -> list[tuple[str, str, str]]:
    """Each stage with its minutes and its share of the sleep."""
    found = night.statistics
    return [
        (
            name,
            _minutes(found.stage_min[name]),
            "" if name == "W" else _percent(found.stage_pct[name]),
        )
        for name in STAGE_NAMES
    ]


def review(night: StagedNight) -> str:
    """How many epochs from lights off to lights on a person should look at."""
    n_staged = int((night.stages[night.in_bed] != UNSCORED).sum())
    n_low = int(night.review[night.in_bed].sum())
    share = f" ({100 * n_low / n_staged:.1f} %)" if n_staged else ""
    are = "is" if n_low == 1 else "are"
    return (
        f"{n_low:,} of {n_staged:,} epochs{share} {are} marked for review: confidence below "
        f"{night.review_below:g}"
    )


def _minutes(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f} min"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f} %"
