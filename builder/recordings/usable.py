"""Usable: which channels of a file can be drawn, judged by its header, and the lanes they fill.

Building, checking, previewing and staging all choose their lanes here, so that they agree on every
recording before a sample is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import channels as labelled
from psgimg.builder.recordings import montage as montages
from psgimg.builder.recordings.edf import UV_PER_UNIT, uv_per_unit
from psgimg.builder.recordings.lanes.treatment import (
    ELSEWHERE,
    LEVEL,
    NOT_RECORDED,
    TURNED,
    Treatment,
)
from psgimg.builder.recordings.montage import Derivation, Found, Judge, Kind, Montage
from psgimg.builder.recordings.signal_file import SignalFile

Faults = tuple[tuple[str, RecordingError], ...]

UNITS = {factor: f"{unit[:-1]}V" for unit, factor in UV_PER_UNIT.items()}
"""Factor to µV to the unit's name."""

LEVEL_HZ = 20.0
"""An EMG sampled at this rate or slower is a level, not a waveform (Sleep-EDF SC: 1 Hz, rectified)."""

MIN_SFREQ_HZ: Mapping[Kind, float] = {
    Kind.EEG: 32.0,
    Kind.EOG: 20.0,
    Kind.EMG: 0.5,
    Kind.ECG: 50.0,
}
"""Lowest sampling rate at which a lane of each kind still shows what stages are scored by.

The AASM manual requires 200 Hz, but recorders of the past were slower: corpora have EEG from 100 Hz,
eyes from 50 Hz, ECG from 125 Hz, and a chin of 1 Hz. Below 32 Hz, sleep spindles (11 to 16 Hz) are
lost; below 20 Hz, the steep onset of rapid eye movements; below 50 Hz, the QRS complex. A chin's
level needs a value every 2 s.
"""

MISSING_UNIT = "unit missing, µV assumed"


@dataclass(frozen=True)
class Lanes:
    """The derivation of each lane of a montage in a file, chosen by the file's header.

    Parameters
    ----------
    derivations
        One per lane; None for an absent lane.
    treatments
        What was done to each lane.
    missing
        Names of the lanes that the file has no channel for.
    notes
        Lanes that are absent or show another derivation because a channel can't be used, and
        assumptions about a channel that is drawn. One sentence each, without label or file name.
    """

    derivations: tuple[Derivation | None, ...]
    treatments: tuple[Treatment, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def resolve(file: SignalFile, montage: Montage, channels: Mapping[str, str]) -> Lanes:
    """Choose the derivation of each lane by a channel table.

    Parameters
    ----------
    channels
        Channel label to derivation, as in ``Corpus.channels``.

    Raises
    ------
    RecordingError
        If no EEG lane can be filled; the message says what each EEG channel lacks.
    """
    found = montages.resolve(montage, file.labels, channels, file.path.name, judge(file))
    return _lanes(file, montage, found)


def choose(file: SignalFile, montage: Montage, given: Mapping[str, str]) -> Lanes:
    """Choose the derivation of each lane: as given by the user, otherwise by its label.

    Parameters
    ----------
    given
        Lane, or derivation of a lane, to the label of a channel; ``A,B`` for a difference.

    Raises
    ------
    BuildError
        If a given lane or channel does not exist, is given twice or can't be used, or no EEG lane
        can be filled.
    """
    found = labelled.choose(montage, file.labels, given, judge=judge(file), where=file.path.name)
    return _lanes(file, montage, found)


def judge(file: SignalFile) -> Judge:
    """Return the function that finds why a derivation can't be drawn in a lane of a kind."""

    def fault(derivation: Derivation, kind: Kind) -> RecordingError | None:
        for channel in derivation.channels:
            if error := file.fault(channel) or _too_slow(file, channel, derivation, kind):
                return error
        return None

    return fault


def is_level(kind: Kind, sfreq_hz: Fraction) -> bool:
    """Whether a channel of this rate holds an EMG level instead of a waveform."""
    return kind is Kind.EMG and sfreq_hz <= LEVEL_HZ


def _too_slow(
    file: SignalFile, channel: int, derivation: Derivation, kind: Kind
) -> RecordingError | None:
    """Return an error if a channel is sampled too slowly for its part in a lane."""
    sfreq_hz = file.recorded_hz[channel]
    where = f"{file.path.name}, channel {file.labels[channel]!r}"
    if sfreq_hz < MIN_SFREQ_HZ[kind]:
        return RecordingError(
            "sampled too slowly",
            f"{where} has {float(sfreq_hz):.6g} samples per second, but {kind.value.upper()} needs "
            f"{MIN_SFREQ_HZ[kind]:g} or more; use a recording that was not downsampled",
        )
    if is_level(kind, sfreq_hz) and (
        derivation.minus is not None or sfreq_hz != file.sfreqs_hz[channel]
    ):
        why = "subtracted" if derivation.minus is not None else "resampled like the other channels"
        return RecordingError(
            "level without waveform",
            f"{where} holds {float(sfreq_hz):.6g} levels per second, which can't be {why}; use "
            "a recording with EMG waveforms",
        )
    return None


def _lanes(file: SignalFile, montage: Montage, found: Found) -> Lanes:
    rows = zip(montage.lanes, found.derivations, found.faults, found.elsewhere, strict=True)
    treatments = tuple(
        _drawn(file, lane.kind, drawn) if drawn else Treatment(absent=_absent(faults, elsewhere))
        for lane, drawn, faults, elsewhere in rows
    )
    missing = tuple(
        lane.name
        for lane, how in zip(montage.lanes, treatments, strict=True)
        if how.absent == NOT_RECORDED
    )
    notes = (*_replaced(montage, found), *_without_unit(file, found))
    return Lanes(found.derivations, treatments, missing, notes)


def _drawn(file: SignalFile, kind: Kind, drawn: Derivation) -> Treatment:
    """Return what is done to a lane that a channel fills."""
    factors = [uv_per_unit(file.unit(channel), file.path.name) for channel in drawn.channels]
    units = {f"recorded in {UNITS[factor]}" for factor in factors if factor != 1}
    level = [LEVEL] if is_level(kind, file.recorded_hz[drawn.plus]) else []
    return Treatment("", (TURNED,) if drawn.sign < 0 else (), (*sorted(units), *level))


def _absent(faults: Faults, elsewhere: bool) -> str:
    """Return why a lane stays empty."""
    if faults:
        return _why(faults)
    return ELSEWHERE if elsewhere else NOT_RECORDED


def _why(faults: Faults) -> str:
    return ", ".join(dict.fromkeys(f"{name} not usable ({e.reason})" for name, e in faults))


def _replaced(montage: Montage, found: Found) -> Iterator[str]:
    """Yield a note for each lane whose first choice can't be used, or stands in another lane."""
    rows = zip(montage.lanes, found.derivations, found.faults, found.elsewhere, strict=True)
    for lane, drawn, faults, elsewhere in rows:
        if not faults:
            if elsewhere:
                yield f"lane {lane.name} is absent: {ELSEWHERE}"
            continue
        why = _why(faults)
        if drawn is None:
            yield f"lane {lane.name} is absent: {why}"
        elif drawn.name in dict(faults):
            yield f"lane {lane.name} shows another channel of {drawn.name}: {why}"
        else:
            yield f"lane {lane.name} shows {drawn.name}: {why}"


def _without_unit(file: SignalFile, found: Found) -> tuple[str, ...]:
    """Return a note if a channel that is drawn has no unit in the header."""
    drawn = {channel for each in found.derivations if each for channel in each.channels}
    return (MISSING_UNIT,) if any(not file.unit(channel) for channel in drawn) else ()
