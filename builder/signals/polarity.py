"""Polarity: whether the EEG and EOG of a recording are stored upside down, and are turned over.

A recorder or an export that reverses the sign does so for all channels of its amplifier: EEG and EOG
are turned together. In SC4001, blinks point down in Fpz-Cz, and Pz-Oz, which blinks hardly reach, goes
the same way with them (-6 µV on average of 1,314) and has its sharp waves of N2 above 50 µV upwards
(33 to 0), though vertex waves and K-complexes are negative there. EMG and ECG keep their sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import montage as montages
from psgimg.builder.recordings.montage import Derivation, Kind, Lane, Montage
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.recordings.usable import judge as usable_in
from psgimg.builder.signals import blinks
from psgimg.builder.signals.blinks import Blinks
from psgimg.builder.signals.deriving import read_lane
from psgimg.builder.signals.polarity_rule import BLINKS, INVERTED, RECORDED, By, PolarityJson

TURNED = (Kind.EEG, Kind.EOG)

N_TRIED = 2
"""Frontal derivations that are examined if the first one has no decisive blinks."""

_ELECTRODES = ("Fpz", "Fp1", "Fp2", "AFz", "AF3", "AF4", "Fz", "F3", "F4")
_REFERENCES = ("M1", "M2", "LER", "CLE", "Cz", "C3", "C4", "Pz", "P3", "P4", "Oz", "O1", "O2")
FRONTAL = tuple(
    Lane(electrode, Kind.EEG, tuple(f"{electrode}-{reference}" for reference in _REFERENCES))
    for electrode in _ELECTRODES
)
"""The derivations in which blinks point up, most sensitive electrode first. All references are far
from the eyes; with an unnamed one, the sign of a blink is not known."""


@dataclass(frozen=True)
class Polarity:
    """Whether the EEG and EOG of a recording are turned over, and why.

    Parameters
    ----------
    by
        What decided.
    derivation
        The frontal derivation that was examined; None if the file has none.
    blinks
        Blinks in it as recorded.
    stated
        Whether the corpus states that the recording is stored upside down.
    """

    turned: bool
    by: By
    derivation: str | None
    blinks: Blinks
    stated: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the pages must know; no numbers, so that equal notes can be counted."""
        sign = self.blinks.sign
        if self.by == "blinks" and self.turned:
            return ("stored upside down, as its blinks show; EEG and EOG are turned over",)
        if self.by == "blinks" and self.stated:
            return ("its corpus calls it stored upside down, but its blinks point up; not turned",)
        if self.turned and sign > 0:
            return ("EEG and EOG are turned over, though its blinks pointed up as recorded",)
        if self.turned:
            why = "as its corpus states" if self.by == "corpus" else "as told"
            return (f"EEG and EOG are turned over, {why}",)
        if self.by == "option" and sign < 0:
            return ("its blinks point down: it may be stored upside down; not turned, as told",)
        return ()

    def turn(
        self, montage: Montage, derivations: Sequence[Derivation | None]
    ) -> tuple[Derivation | None, ...]:
        """Return the derivations of a montage's lanes with the right sign."""
        return tuple(
            replace(one, sign=-one.sign) if self.turned and one and lane.kind in TURNED else one
            for lane, one in zip(montage.lanes, derivations, strict=True)
        )

    def to_dict(self) -> PolarityJson:
        """Return the values for ``build.json``."""
        return {
            "turned": self.turned,
            "by": self.by,
            "derivation": self.derivation,
            "blinks_up": self.blinks.up,
            "blinks_down": self.blinks.down,
            "votes_up": self.blinks.votes_up,
            "votes_down": self.blinks.votes_down,
        }


def decide(
    rule: str,
    file: SignalFile,
    channels: Mapping[str, str],
    derivations: Sequence[Derivation | None],
    *,
    stated: bool = False,
) -> Polarity:
    """Decide whether a recording is turned over; its blinks are counted under every rule.

    Parameters
    ----------
    rule
        One of ``polarity_rule.RULES``.
    channels
        Channel label to derivation, as in ``Corpus.channels``. A frontal derivation counts whether
        or not it is drawn, so that the montage does not change the sign.
    derivations
        Those that are drawn, which may have been assigned by hand.
    stated
        Whether the corpus states that the recording is stored upside down.
    """
    name, found = _examine(file, channels, derivations)
    if rule == INVERTED:
        return Polarity(True, "option", name, found, stated)
    if rule == BLINKS and found.sign:
        return Polarity(found.sign < 0, "blinks", name, found, stated)
    if stated:
        return Polarity(True, "corpus", name, found, stated)
    return Polarity(False, "option" if rule == RECORDED else "", name, found, stated)


def _examine(
    file: SignalFile, channels: Mapping[str, str], derivations: Sequence[Derivation | None]
) -> tuple[str | None, Blinks]:
    """Return the first frontal derivation with decisive blinks, or the first one at all."""
    first: tuple[str | None, Blinks] = (None, Blinks())
    for number, derivation in enumerate(_frontal(file, channels, derivations)):
        if number == N_TRIED:
            break
        try:
            samples_uv = read_lane(file, Kind.EEG, derivation).samples_uv
        except RecordingError:  # not drawn, or drawing reports it
            continue
        rate = file.sfreqs_hz[derivation.plus]
        found = blinks.count(samples_uv, rate, file.record_s, file.segments)
        if found.sign:
            return derivation.name, found
        first = first if first[0] else (derivation.name, found)
    return first


def _frontal(
    file: SignalFile, channels: Mapping[str, str], derivations: Sequence[Derivation | None]
) -> Iterator[Derivation]:
    """Yield a derivation of each frontal electrode that the file has, as drawn if it is drawn."""
    drawn = {one.name: one for one in derivations if one}
    table = Montage("frontal", FRONTAL)
    found = montages.find(table, file.labels, channels, judge=usable_in(file))
    for lane, other in zip(FRONTAL, found.derivations, strict=True):
        own = next((drawn[name] for name in lane.derivations if name in drawn), None)
        if one := own or other:
            yield one
