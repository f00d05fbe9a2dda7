"""Montage: which derivations are drawn, in which order, and how a file's channels yield them.

Free of I/O and heavy imports. A lane lists derivations by preference, the channel table of a corpus
maps each label of a file to a derivation, and ``resolve`` combines the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from psgimg.builder.errors import RecordingError


class Kind(Enum):
    """Kinds of lane; each has its own pass band and scale."""

    EEG = "eeg"
    EOG = "eog"
    EMG = "emg"
    ECG = "ecg"


@dataclass(frozen=True)
class Lane:
    """One strip of the page.

    Parameters
    ----------
    name
        Name of the lane, after its intended derivation.
    derivations
        Accepted derivations, best first. All have the same polarity: scalp or eye minus reference.
    """

    name: str
    kind: Kind
    derivations: tuple[str, ...]


@dataclass(frozen=True)
class Montage:
    """The lanes of a page from top to bottom."""

    name: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Derivation:
    """A derivation as a signed difference of channels: ``plus`` minus ``minus`` (None: unchanged)."""

    name: str
    plus: int
    minus: int | None = None
    sign: int = 1


COMMON = "REF"
"""The reference of an electrode recorded without a stated reference."""

_LINKED = ("LER", "CLE")


def _eeg(name: str, electrode: str, other: str, *midline: str) -> Lane:
    """Return an EEG lane: an electrode, or its contralateral twin, against the opposite mastoid.

    Then the same electrodes against linked ears, as in MASS; last a midline derivation, for files
    that have nothing else. It can often be computed, but its amplitudes differ: slow waves common
    to both electrodes cancel out.
    """
    linked = (f"{e}-{ref}" for e in (electrode, other) for ref in _LINKED)
    mastoids = {"3": "M2", "1": "M2", "4": "M1", "2": "M1"}
    crossed = (f"{e}-{mastoids[e[-1]]}" for e in (electrode, other))
    return Lane(name, Kind.EEG, (*crossed, *linked, *midline))


# The AASM manual recommends F4-M1, C4-M1 and O2-M1 with F3-M2, C3-M2 and O1-M2 as backup, and
# accepts Fz-Cz and Cz-Oz. The closest in Sleep-EDF are Fpz-Cz and Pz-Oz.
_F4 = _eeg("F4", "F4", "F3", "Fz-Cz")
_C4 = _eeg("C4", "C4", "C3")
_C3 = _eeg("C3", "C3", "C4")
_O2 = _eeg("O2", "O2", "O1", "Cz-Oz")
_E1 = Lane("E1", Kind.EOG, ("E1-M2", "E1-M1", "E1-PG1", "E1-Fpz", "E1-LER", "E1-CLE", "E1-REF"))
_E2 = Lane("E2", Kind.EOG, ("E2-M2", "E2-M1", "E2-PG1", "E2-Fpz", "E2-LER", "E2-CLE", "E2-REF"))
_CHIN = Lane("chin", Kind.EMG, ("Chin1-Chin2", "Chin", "Chin1-Chin3", "Chin3-Chin2"))
_ECG = Lane("ECG", Kind.ECG, ("ECG", "ECG1-ECG2"))

MONTAGES: Mapping[str, Montage] = {
    montage.name: montage
    for montage in (
        Montage("aasm", (_F4, _C4, _O2, _E1, _E2, _CHIN)),
        # Recorded in every NSRR corpus: two central derivations, both eyes, chin.
        Montage("central", (_C4, _C3, _E1, _E2, _CHIN)),
        # arXiv 2509.22810 draws EEG, EOG, EMG and ECG.
        Montage("central-ecg", (_C4, _C3, _E1, _E2, _CHIN, _ECG)),
        Montage(
            "sleep-edf",
            (
                Lane("Fpz-Cz", Kind.EEG, ("Fpz-Cz",)),
                Lane("Pz-Oz", Kind.EEG, ("Pz-Oz",)),
                Lane("EOG", Kind.EOG, ("EOGh",)),
                _CHIN,
            ),
        ),
    )
}

DEFAULT_MONTAGE = "aasm"


def resolve(
    montage: Montage, labels: Sequence[str], channels: Mapping[str, str], where: str
) -> tuple[Derivation | None, ...]:
    """Return each lane's derivation among a file's channels, at least one of them EEG.

    Raises
    ------
    RecordingError
        If no EEG lane can be filled; the message lists the channels, their derivations and those
        that the montage accepts.
    """
    derivations = find(montage, labels, channels)
    if not has_eeg(montage, derivations):
        wanted = [
            name for lane in montage.lanes if lane.kind is Kind.EEG for name in lane.derivations
        ]
        available = _derivations(labels, channels)
        raise RecordingError(
            "no usable EEG",
            f"{where} has the channels {', '.join(labels)}, recognised as "
            f"{', '.join(available) or 'nothing'}; montage {montage.name} needs one of "
            f"{', '.join(wanted)}; choose another --montage",
        )
    return derivations


def find(
    montage: Montage,
    labels: Sequence[str],
    channels: Mapping[str, str],
    given: Mapping[str, Derivation] | None = None,
) -> tuple[Derivation | None, ...]:
    """Return each lane's derivation among a file's channels; None where the file has none.

    No two lanes get the same derivation. A derivation recorded the other way round is inverted;
    ``C4-M1`` is also computed as ``C4-X`` minus ``M1-X`` for any common reference X. An electrode
    without a reference, ``C4``, is taken as recorded against a common one, ``C4-REF``. ``given``
    assigns a derivation to a lane, by name, and takes precedence.
    """
    given = given or {}
    indices = _derivations(labels, channels)
    used = {derivation.name for derivation in given.values()}
    derivations: list[Derivation | None] = []
    for lane in montage.lanes:
        candidates = (_derive(name, indices) for name in lane.derivations)
        free = (each for each in candidates if each and each.name not in used)
        best = given.get(lane.name) or next(free, None)
        if best:
            used.add(best.name)
        derivations.append(best)
    return tuple(derivations)


def has_eeg(montage: Montage, derivations: Sequence[Derivation | None]) -> bool:
    """Whether at least one EEG lane is filled; without EEG, sleep can't be staged."""
    return any(
        best and lane.kind is Kind.EEG
        for best, lane in zip(derivations, montage.lanes, strict=True)
    )


def plain(label: str) -> str:
    """Return a label without what varies between files of one corpus: case, spaces, dots."""
    return re.sub(r"[\s.]+", "", label).lower()


def _derivations(labels: Sequence[str], channels: Mapping[str, str]) -> dict[str, int]:
    """Return the channel index of each derivation; the first of two equal labels counts."""
    table = {plain(label): name for label, name in channels.items()}
    indices: dict[str, int] = {}
    for number, label in enumerate(labels):
        name = table.get(plain(label))
        if name is not None:
            indices.setdefault(name, number)
    return indices


def _recorded(electrode: str, reference: str, indices: Mapping[str, int]) -> str | None:
    """Return the name under which a file has an electrode against a reference (default REF)."""
    names = [f"{electrode}-{reference}"] if reference else []
    if reference in ("", COMMON):
        names = [electrode, f"{electrode}-{COMMON}"]
    return next((name for name in names if name in indices), None)


def _derive(name: str, indices: Mapping[str, int]) -> Derivation | None:
    plus, _, minus = name.partition("-")
    if recorded := _recorded(plus, minus, indices):
        return Derivation(recorded, indices[recorded])
    if not minus:
        return None
    if f"{minus}-{plus}" in indices:
        return Derivation(name, indices[f"{minus}-{plus}"], sign=-1)
    for reference in sorted({other.partition("-")[2] or COMMON for other in indices}):
        first, second = (_recorded(electrode, reference, indices) for electrode in (plus, minus))
        if first and second:
            return Derivation(name, indices[first], indices[second])
    return None
