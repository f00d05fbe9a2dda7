"""Lane totals: quality and treatment of the lanes of many recordings, for reports and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psgimg.builder.dataset.build_json import PlanFacts
from psgimg.builder.signals import quality
from psgimg.builder.signals.quality import LaneQuality


@dataclass(frozen=True)
class LaneTotal:
    """The quality of one lane of the montage over all recordings that have it.

    Parameters
    ----------
    lane
        Name of the lane.
    n_recordings, n_epochs
        Number of recordings and of epochs of which the lane was measured.
    n_poor
        Number of these recordings in which the lane has fewer usable epochs than in a good night.
    """

    lane: str
    n_recordings: int
    n_epochs: int
    n_poor: int
    quality: LaneQuality


@dataclass(frozen=True)
class PoorLane:
    """A lane of a recording that has fewer usable epochs than in a good night."""

    corpus: str
    recording: str
    derivation: str
    n_epochs: int
    quality: LaneQuality


@dataclass(frozen=True)
class TreatmentTotal:
    """What was done to one lane of the montage in all recordings.

    Parameters
    ----------
    lane
        Name of the lane.
    n_recordings, n_epochs
        Number of recordings, and of epochs of those in which the lane is drawn.
    absent, inverted, rescaled
        Number of recordings by reason, the commonest first.
    n_clipped
        Number of pages on which it is clipped.
    """

    lane: str
    n_recordings: int
    n_epochs: int
    absent: dict[str, int]
    inverted: dict[str, int]
    rescaled: dict[str, int]
    n_clipped: int

    @property
    def sentences(self) -> list[str]:
        """What was done, in words; empty if nothing was."""
        said = [
            f"{what} in {n:,} of {self.n_recordings:,} ({why})"
            for what, reasons in (
                ("absent", self.absent),
                ("inverted", self.inverted),
                ("rescaled", self.rescaled),
            )
            for why, n in reasons.items()
        ]
        if self.n_clipped:
            said.append(f"clipped on {self.n_clipped:,} of {self.n_epochs:,} pages")
        return said


def treatments(lanes: Sequence[str], recordings: Sequence[PlanFacts]) -> list[TreatmentTotal]:
    """Return what was done to each lane.

    Parameters
    ----------
    lanes
        Names of the lanes of the montage, from top to bottom.
    """
    totals = []
    for i, lane in enumerate(lanes):
        facts = [fact["treatments"][i] for fact in recordings]
        totals.append(
            TreatmentTotal(
                lane,
                n_recordings=len(recordings),
                n_epochs=sum(n_epochs(fact) for fact in recordings if fact["lanes"][i]),
                absent=_counted(one["absent"] for one in facts if "absent" in one),
                inverted=_counted(why for one in facts for why in one.get("inverted", ())),
                rescaled=_counted(why for one in facts for why in one.get("rescaled", ())),
                n_clipped=sum(one.get("clipped", 0) for one in facts),
            )
        )
    return totals


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(Counter(reasons).most_common())


def by_lane(lanes: Sequence[str], recordings: Sequence[PlanFacts]) -> list[LaneTotal]:
    """Return the totals of each lane, without those that were not measured in any recording.

    Parameters
    ----------
    lanes
        Names of the lanes of the montage, from top to bottom.
    """
    totals = []
    for i, lane in enumerate(lanes):
        parts = [
            (fact["quality"][name], n_epochs(fact))
            for fact in recordings
            if "quality" in fact and (name := fact["lanes"][i]) in fact["quality"] and name
        ]
        if parts:
            n_poor = sum(one["usable"] < quality.GOOD for one, _ in parts)
            n = sum(n for _, n in parts)
            totals.append(LaneTotal(lane, len(parts), n, n_poor, quality.total(parts)))
    return totals


def poor(recordings: Iterable[PlanFacts]) -> list[PoorLane]:
    """Return the lanes with fewer usable epochs than in a good night, the poorest first."""
    lanes = [
        PoorLane(fact["corpus"], fact["recording"], name, n_epochs(fact), lane)
        for fact in recordings
        for name, lane in fact.get("quality", {}).items()
        if lane["usable"] < quality.GOOD
    ]
    return sorted(lanes, key=lambda lane: lane.quality["usable"])


def n_epochs(fact: PlanFacts) -> int:
    """Return the number of epochs of a recording that become pages."""
    return sum(fact["stages"].values())
