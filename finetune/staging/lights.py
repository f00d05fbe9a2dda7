"""Lights: when they went off and on, as the user says it, in seconds of the recording."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from psgimg.builder.errors import BuildError

JUST_OUTSIDE_S = 60.0
"""A clock time by this much before the recording's start means its start, as by this much after its
end the end: nobody notes seconds."""

EPOCH_S = 30.0

DAY_S = 24 * 3600.0


def span(
    off: str | None, on: str | None, start: datetime | None, duration_s: float
) -> tuple[float | None, float | None]:
    """Seconds from the recording's start to lights off and to lights on, None where it is not said.

    Parameters
    ----------
    off, on
        Clock time (``23:10``, ``23:10:30``), the first after the recording's start, or seconds from
        there. In a recording of more than a day, lights on is the first after lights off.
    start
        When the recording started; None if nobody knows.

    Raises
    ------
    BuildError
        If a time is none, lies outside the recording, the lights go on before they go off, or no
        epoch lies between.
    """
    off_s = None if off is None else _seconds("lights-off", off, start, duration_s)
    on_s = None if on is None else _seconds("lights-on", on, start, duration_s)
    if on and ":" in on and on_s is not None and on_s <= (off_s or 0.0):
        next_day_s = on_s + DAY_S
        on_s = min(next_day_s, duration_s) if next_day_s <= duration_s + JUST_OUTSIDE_S else on_s
    if off_s is not None and on_s is not None and off_s >= on_s:
        raise BuildError(
            f"--lights-off {off} is {off_s:g} s after the recording's start, --lights-on {on} "
            f"{on_s:g} s; give the time when the lights went off first"
        )
    begin_s, end_s = off_s or 0.0, duration_s if on_s is None else on_s
    if (off or on) and end_s - begin_s < EPOCH_S:
        raise BuildError(
            f"the lights are off from {begin_s:g} to {end_s:g} s of the recording, less than an epoch; "
            "mend --lights-off or --lights-on"
        )
    return off_s, on_s


def _seconds(name: str, said: str, start: datetime | None, duration_s: float) -> float:
    found = _clock(name, said, start) if ":" in said else _number(name, said)
    if ":" in said and duration_s < found <= duration_s + JUST_OUTSIDE_S:
        return duration_s
    if not 0 <= found <= duration_s:
        until = "" if start is None else f" (from {_of(start, 0)} to {_of(start, duration_s)})"
        raise BuildError(
            f"--{name} {said}: the recording lasts {duration_s:g} s{until}; give a time within it"
        )
    return found


def _clock(name: str, said: str, start: datetime | None) -> float:
    """Seconds from the start to the first such time of day."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?", said):
        raise _no_time(name, said)
    if start is None:
        raise BuildError(
            f"--{name} {said}: the file does not say when the recording started; give seconds from "
            "its start"
        )
    hours, minutes, seconds = (int(part) for part in (*said.split(":"), "0")[:3])
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    then = midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    after_s = (then - start).total_seconds() % DAY_S
    return 0.0 if after_s > DAY_S - JUST_OUTSIDE_S else after_s


def _number(name: str, said: str) -> float:
    try:
        return float(said)
    except ValueError:
        raise _no_time(name, said) from None


def _no_time(name: str, said: str) -> BuildError:
    return BuildError(
        f"--{name} {said!r}: give a clock time such as 23:10, or seconds from the recording's start"
    )


def _of(start: datetime, after_s: float) -> str:
    return f"{start + timedelta(seconds=after_s):%H:%M:%S}"
