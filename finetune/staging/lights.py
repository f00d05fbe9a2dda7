"""Lights: the times of lights off and lights on given by the user, as seconds of the recording."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from psgimg.builder.errors import BuildError

JUST_OUTSIDE_S = 60.0
"""Tolerance of clock times, which are noted without seconds: one up to this much before the
recording's start counts as the start, one up to this much after its end as the end."""

DAY_S = 24 * 3600.0


def span(
    off: str | None, on: str | None, start: datetime | None, duration_s: float, epoch_s: float
) -> tuple[float | None, float | None]:
    """Return seconds from the recording's start to lights off and to lights on, None if not given.

    Parameters
    ----------
    off, on
        Clock time (``23:10``, ``23:10:30``), taken as its first occurrence after the recording's
        start, or seconds from the start. In a recording longer than a day, lights on is the first
        occurrence after lights off.
    start
        Start of the recording; None if unknown.
    duration_s
        Duration of the recording in seconds.
    epoch_s
        Length of an epoch in seconds.

    Raises
    ------
    BuildError
        If a time is invalid or outside the recording, lights on is not after lights off, or less than
        an epoch is in between.
    """
    off_s = None if off is None else _seconds("lights-off", off, start, duration_s)
    on_s = None if on is None else _seconds("lights-on", on, start, duration_s)
    if on and ":" in on and on_s is not None and on_s <= (off_s or 0.0):
        next_day_s = on_s + DAY_S
        on_s = min(next_day_s, duration_s) if next_day_s <= duration_s + JUST_OUTSIDE_S else on_s
    if off_s is not None and on_s is not None and off_s >= on_s:
        raise BuildError(
            f"--lights-off {off} is {off_s:g} s after the recording's start, --lights-on {on} "
            f"{on_s:g} s; give a lights-off time before the lights-on time"
        )
    begin_s, end_s = off_s or 0.0, duration_s if on_s is None else on_s
    if (off or on) and end_s - begin_s < epoch_s:
        raise BuildError(
            f"the lights are off from {begin_s:g} to {end_s:g} s of the recording, less than an epoch; "
            "fix --lights-off or --lights-on"
        )
    return off_s, on_s


def notes(off_s: float | None, on_s: float | None) -> list[str]:
    """Say what takes the place of a time of lights off or lights on that was not given."""
    lines = []
    if off_s is None:
        lines.append(
            "without --lights-off, sleep statistics count from the first epoch: SOL, TRT "
            "and sleep efficiency are not those of the time in bed"
        )
    if on_s is None:
        lines.append(
            "without --lights-on, sleep statistics count to the last epoch: WASO, TRT and "
            "sleep efficiency are not those of the time in bed"
        )
    return lines


def _seconds(name: str, text: str, start: datetime | None, duration_s: float) -> float:
    time_s = _clock(name, text, start) if ":" in text else _number(name, text)
    if ":" in text and duration_s < time_s <= duration_s + JUST_OUTSIDE_S:
        return duration_s
    if not 0 <= time_s <= duration_s:
        until = "" if start is None else f" (from {_of(start, 0)} to {_of(start, duration_s)})"
        raise BuildError(
            f"--{name} {text}: the recording lasts {duration_s:g} s{until}; give a time within it"
        )
    return time_s


def _clock(name: str, text: str, start: datetime | None) -> float:
    """Return seconds from the start to the first occurrence of a time of day."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?", text):
        raise _invalid(name, text)
    if start is None:
        raise BuildError(
            f"--{name} {text}: the file does not state when the recording started; give seconds from "
            "its start"
        )
    hours, minutes, seconds = (int(part) for part in (*text.split(":"), "0")[:3])
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    then = midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    after_s = (then - start).total_seconds() % DAY_S
    return 0.0 if after_s > DAY_S - JUST_OUTSIDE_S else after_s


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _invalid(name, text) from None


def _invalid(name: str, text: str) -> BuildError:
    return BuildError(
        f"--{name} {text!r}: give a clock time such as 23:10, or seconds from the recording's start"
    )


def _of(start: datetime, after_s: float) -> str:
    return f"{start + timedelta(seconds=after_s):%H:%M:%S}"
