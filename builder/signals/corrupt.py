"""Corrupt: apply corruptions to a lane's raw samples, before any filter.

Ranges in a corruption become values here, one for each lane or one for all of a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from psgimg.builder.recordings.montage import Lane, Montage
from psgimg.builder.recordings.usable import is_level
from psgimg.builder.signals.corruption_effects import (
    EFFECTS,
    MUSCLE_HZ,
    LaneContext,
    RecordingContext,
    hum_hz,
)
from psgimg.builder.signals.corruption_spec import Corruption
from psgimg.builder.signals.deriving import Samples
from psgimg.builder.signals.filtering import Corruptor


def corruptor(
    corruptions: Sequence[Corruption], recording: RecordingContext, name: str = ""
) -> Corruptor:
    """Return a function that applies the corruptions in order, in place, to a recording's lane.

    Parameters
    ----------
    name
        Under another name, the same corruptions have other random numbers.
    """

    def corrupt(lane: Lane, samples_uv: Samples, rate: Fraction) -> Samples:
        for number, one in enumerate(corruptions):
            if one.applies_to(lane) and not _obstacle(one, lane, rate, recording.mains_hz):
                at = LaneContext(recording, lane, rate, f"{name}{number}/{one.seed}")
                EFFECTS[one.kind](one.drawn(at.share), samples_uv, at)
        return samples_uv

    return corrupt


def notes(
    corruptions: Sequence[Corruption],
    montage: Montage,
    rates: Sequence[Fraction | None],
    mains_hz: float,
) -> list[str]:
    """List the corruptions that could not be applied in a recording, for the report.

    Parameters
    ----------
    rates
        Sampling rate of the channel in each lane, in Hz; None for a lane that was not recorded.
    """
    lines = []
    for one in corruptions:
        meant = [pair for pair in zip(montage.lanes, rates, strict=True) if one.applies_to(pair[0])]
        recorded = [(lane, rate) for lane, rate in meant if rate is not None]
        if not recorded:
            lines.append(f"{one.kind} not applied: none of its lanes was recorded")
        for lane, rate in recorded:
            if reason := _obstacle(one, lane, rate, mains_hz):
                lines.append(f"{one.kind} not applied to {lane.name}: {reason}")
    return lines


def _obstacle(one: Corruption, lane: Lane, rate: Fraction, mains_hz: float) -> str:
    """Return why a corruption can't be applied to a lane's samples; empty if it can."""
    if is_level(lane.kind, rate) and not one.form.on_levels:
        return "recorded as a level, without a waveform"
    if one.kind == "emg" and rate * 0.45 <= MUSCLE_HZ[0]:
        return f"{float(rate):g} samples per second can't represent muscle activity"
    if one.kind == "hum":
        ends = one.ends("hz")
        highest_hz = ends[1] if ends else hum_hz(one, mains_hz)
        if rate / 2 <= highest_hz:
            return f"{float(rate):g} samples per second can't represent {highest_hz:g} Hz"
    return ""
