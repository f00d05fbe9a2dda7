"""Montage: which derivations are drawn, in which order, and how a file's channels yield them.

Free of I/O and heavy imports. A lane lists derivations by preference, the channel table of a corpus
maps each label of a file to a derivation, and ``resolve`` combines the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import starmap
from math import inf

from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.lanes.choice import Choices, choose, electrode
from psgimg.builder.recordings.lanes.derive import Indices, derive, recorded


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

    @property
    def channels(self) -> tuple[int, ...]:
        """Indices of the channels that it is computed from."""
        return (self.plus,) if self.minus is None else (self.plus, self.minus)


Judge = Callable[[Derivation, Kind], RecordingError | None]
"""Returns why a derivation can't be drawn in a lane of some kind; None if it can."""


def usable(_derivation: Derivation, _kind: Kind) -> RecordingError | None:
    """Judge every derivation as usable, where only the labels of a file are known."""
    return None


@dataclass(frozen=True)
class Found:
    """The derivations that a file has for the lanes of a montage.

    Parameters
    ----------
    derivations
        One per lane; None if the file has none that can be drawn.
    faults
        For each lane, the better derivations that the file has but that can't be drawn, each by its
        name with the reason.
    elsewhere
        Whether a lane is empty because other lanes show the electrodes that it could.
    """

    derivations: tuple[Derivation | None, ...]
    faults: tuple[tuple[tuple[str, RecordingError], ...], ...]
    elsewhere: tuple[bool, ...]


NO_EEG = "no usable EEG"

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
        Montage("central-eeg", (_C4, _C3)),
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
        # Most nights of BOAS and CAP have one channel for both eyes, and most of CAP one EEG
        # derivation with a mastoid.
        Montage("boas", (_F4, _C4, _O2, Lane("EOG", Kind.EOG, ("EOGh", "E1-E2")), _CHIN)),
        Montage("cap", (_C4, Lane("EOG", Kind.EOG, ("E1-E2", *_E1.derivations)), _CHIN)),
    )
}

DEFAULT_MONTAGE = "aasm"


def resolve(
    montage: Montage,
    labels: Sequence[str],
    channels: Mapping[str, str],
    where: str,
    judge: Judge = usable,
) -> Found:
    """Return each lane's derivation among a file's channels, at least one of them EEG.

    Raises
    ------
    RecordingError
        If no EEG lane can be filled; the message says what each EEG channel lacks, or lists the
        channels, their derivations and those that the montage accepts.
    """
    found = find(montage, labels, channels, judge=judge)
    if has_eeg(montage, found.derivations):
        return found
    if lacking := lacks(montage, found):
        raise RecordingError(NO_EEG, lacking)
    wanted = [name for lane in montage.lanes if lane.kind is Kind.EEG for name in lane.derivations]
    available = recorded(labels, channels)
    raise RecordingError(
        NO_EEG,
        f"{where} has the channels {', '.join(labels)}, recognised as "
        f"{', '.join(available) or 'nothing'}; montage {montage.name} needs one of "
        f"{', '.join(wanted)}; choose another --montage",
    )


def find(
    montage: Montage,
    labels: Sequence[str],
    channels: Mapping[str, str],
    given: Mapping[str, Derivation] | None = None,
    judge: Judge = usable,
) -> Found:
    """Return the derivation of each lane among a file's channels, chosen for all lanes together.

    An electrode stands in one lane only, and the EEG lanes agree on reference and side as far as
    that leaves no lane empty (``lanes.choice``). A derivation recorded the other way round is
    inverted; ``C4-M1`` is also computed as ``C4-X`` minus ``M1-X`` for any common reference X. An
    electrode without a reference, ``C4``, is taken as recorded against a common one, ``C4-REF``. Of
    several channels of one derivation, the first that can be used counts. ``given`` assigns a
    derivation to a lane, by name, and takes precedence.
    """
    given = given or {}
    indices = recorded(labels, channels)
    held = {one.plus: electrode(one.name) for one in given.values()}
    judged = [
        _Judged({given[lane.name].name: (0, given[lane.name])}, [])
        if lane.name in given
        else _judge(lane, indices, judge, held)
        for lane in montage.lanes
    ]
    names = choose(
        [
            Choices(
                lane.kind is Kind.EEG,
                lane.derivations[0],
                tuple((rank, name) for name, (rank, _) in one.usable.items()),
                given=lane.name in given,
            )
            for lane, one in zip(montage.lanes, judged, strict=True)
        ]
    )
    return Found(
        tuple(
            one.usable[name][1] if name else None for one, name in zip(judged, names, strict=True)
        ),
        tuple(one.better(name, names) for one, name in zip(judged, names, strict=True)),
        tuple(not name and bool(one.usable) for one, name in zip(judged, names, strict=True)),
    )


@dataclass(frozen=True)
class _Judged:
    """A lane's usable derivations by name, and the faults of the others, each with its rank."""

    usable: dict[str, tuple[int, Derivation]]
    faults: list[tuple[int, str, RecordingError]]

    def better(
        self, name: str | None, drawn: Sequence[str | None]
    ) -> tuple[tuple[str, RecordingError], ...]:
        """Return the faults of derivations that the lane would show before ``name``."""
        last = self.usable[name][0] if name else inf
        elsewhere = set(drawn) - {name}
        return tuple(
            (other, fault)
            for rank, other, fault in self.faults
            if rank <= last and other not in elsewhere
        )


def _judge(lane: Lane, indices: Indices, judge: Judge, held: Mapping[int, str]) -> _Judged:
    """Judge the derivations that a lane accepts and a file has, best first.

    ``held`` has the channels that the user gave as an electrode, which are no other.
    """
    judged = _Judged({}, [])
    for rank, name in enumerate(lane.derivations):
        for candidate in starmap(Derivation, derive(name, indices)):
            active = electrode(candidate.name)
            if candidate.name in judged.usable or held.get(candidate.plus, active) != active:
                continue
            fault = judge(candidate, lane.kind)
            if fault is None:
                judged.usable[candidate.name] = rank, candidate
            else:
                judged.faults.append((rank, candidate.name, fault))
    return judged


def lacks(montage: Montage, found: Found) -> str:
    """Return what each EEG channel of a file lacks, with a remedy; "" if it has none at all."""
    lacking = {
        name: fault
        for lane, faults in zip(montage.lanes, found.faults, strict=True)
        if lane.kind is Kind.EEG
        for name, fault in faults
    }
    if not lacking:
        return ""
    (_, first), *others = lacking.items()
    also = ", ".join(f"{name} ({fault.reason})" for name, fault in others)
    return first.detail + (f"; also not usable: {also}" if also else "")


def has_eeg(montage: Montage, derivations: Sequence[Derivation | None]) -> bool:
    """Whether at least one EEG lane is filled; without EEG, sleep can't be staged."""
    return any(
        best and lane.kind is Kind.EEG
        for best, lane in zip(derivations, montage.lanes, strict=True)
    )
