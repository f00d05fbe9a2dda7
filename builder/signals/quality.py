"""Quality: what the lanes of a recording are worth, as the share of epochs with each defect.

Free of I/O and heavy imports; ``quality_measure`` computes the shares from the samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Le
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.montage import Kind, Lane
from typing_extensions import TypedDict

Share = Annotated[float, Ge(0), Le(1)]


class LaneQuality(TypedDict):
    """The shares of a lane's epochs that have each defect, and of those that are usable.

    A second has a defect or not, and an epoch has a defect if at least half of its seconds have it.
    An epoch is usable if fewer than half of its seconds have any defect.
    """

    flat: Share
    saturated: Share
    implausible: Share
    mains: Share
    usable: Share


Quality = dict[str, LaneQuality]
"""The quality of each recorded lane, by the name of its derivation."""

Defect = Literal["flat", "saturated", "implausible", "mains"]

DEFECTS: Mapping[Defect, str] = {
    "flat": "no signal in most epochs of {lane}: was the electrode connected?",
    "saturated": "{lane} is saturated in most epochs: was the amplifier's range exceeded?",
    "implausible": "{kind} amplitude implausible in most epochs of {lane}: is the unit in the "
    "header right?",
    "mains": "mains louder than the {kind} in most epochs of {lane}: was an electrode loose?",
}
"""The defects, each with the note on a recording in which it prevails."""

PREVAILING = 0.5
"""Share of the epochs from which on a defect is stated in the notes of a recording."""

GOOD = 0.95
"""Share of usable epochs that every lane of a good night reaches. In the real nights that were
examined (SC4001 of Sleep-EDF, four DREAMS excerpts, UCDDB 022) each EEG lane has more."""


def by_name(names: Sequence[str | None], measured: Sequence[LaneQuality | None]) -> Quality:
    """Return the quality of the lanes that were recorded, from top to bottom."""
    lanes = zip(names, measured, strict=True)
    return {name: quality for name, quality in lanes if name is not None and quality is not None}


def notes(lanes: Sequence[Lane], names: Sequence[str | None], quality: Quality) -> list[str]:
    """Return a sentence for each defect that prevails in a lane.

    Parameters
    ----------
    lanes
        The lanes of the montage.
    names
        The derivation in each lane; None if absent.
    """
    return [
        text.format(lane=name, kind=lane.kind.value.upper())
        for lane, name in zip(lanes, names, strict=True)
        if name in quality
        for defect, text in DEFECTS.items()
        if quality[name][defect] >= PREVAILING
    ]


def require(
    least: float,
    lanes: Sequence[Lane],
    names: Sequence[str | None],
    quality: Quality,
    where: str,
) -> None:
    """Raise RecordingError if every EEG lane has a smaller share of usable epochs than ``least``."""
    eeg = {
        name: quality[name]["usable"]
        for lane, name in zip(lanes, names, strict=True)
        if lane.kind is Kind.EEG and name in quality
    }
    if eeg and all(usable < least for usable in eeg.values()):
        shares = ", ".join(f"{name} {percent(usable)}" for name, usable in eeg.items())
        raise RecordingError(
            "poor signal quality",
            f"{where}: usable epochs: {shares}; --min-quality requires {percent(least)} in one EEG lane",
        )


def total(parts: Sequence[tuple[LaneQuality, int]]) -> LaneQuality:
    """Return the quality of several lanes together, given that of each with its number of epochs."""
    counts = {defect: sum(round(lane[defect] * n) for lane, n in parts) for defect in DEFECTS}
    usable = sum(round(lane["usable"] * n) for lane, n in parts)
    return lane_quality(counts, usable, sum(n for _, n in parts))


def lane_quality(counts: Mapping[Defect, int], usable: int, n_epochs: int) -> LaneQuality:
    """Return the shares of epochs with each defect and of usable ones, in four decimals each."""
    return {
        "flat": round(counts["flat"] / n_epochs, 4),
        "saturated": round(counts["saturated"] / n_epochs, 4),
        "implausible": round(counts["implausible"] / n_epochs, 4),
        "mains": round(counts["mains"] / n_epochs, 4),
        "usable": round(usable / n_epochs, 4),
    }


def percent(share: float) -> str:
    """Return a share as text with at most one decimal; only 0 and 1 become 0 % and 100 %."""
    shown = min(max(100 * share, 0.1), 99.9) if 0 < share < 1 else 100 * share
    return f"{shown:.1f}".removesuffix(".0") + " %"
