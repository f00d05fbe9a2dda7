"""Seen: the lanes of the pages that a model was shown in training, as recorded in ``psgimg.json``.

What a model makes of a page with lanes absent as on none of its training pages is unknown; a small
one called every epoch of such a night N3, with confidence. So these patterns are recorded, and later
commands refuse others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from annotated_types import Ge
from psgimg.builder.dataset.build_json import Line
from psgimg.builder.words import counted
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.pattern import Absent, Drawn
from typing_extensions import TypedDict

N_LISTED = 4
"""Number of patterns that a message lists."""

Times = Annotated[int, Ge(1)]
Key = TypeVar("Key", str, tuple[str, ...])


class ShownJson(TypedDict):
    """A pattern of absent lanes, and how many pages with it were shown."""

    absent: list[Line]
    pages: Times


class LanesJson(TypedDict):
    """``LanesSeen`` in ``psgimg.json``."""

    shown: list[ShownJson]
    derivations: dict[Line, dict[Line, Times]]


@dataclass(frozen=True)
class LanesSeen:
    """The lanes of the pages shown in training; a page counts each time it is shown.

    Parameters
    ----------
    shown
        Names of the absent lanes, in the order of the montage → number of pages; the complete page is
        (). Without any entry, nothing is recorded, and only complete pages count as seen.
    derivations
        Lane → derivation drawn in it → number of pages.
    """

    shown: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    derivations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def has(self, absent: Sequence[str]) -> bool:
        """Whether pages on which just these lanes are absent were shown."""
        return tuple(absent) in (self.shown or {(): 0})

    def new_derivations(
        self, lanes: Sequence[str], drawn: Sequence[str | None]
    ) -> Iterator[tuple[str, str]]:
        """Yield lane and derivation where no page showed that derivation in that lane."""
        for lane, name in zip(lanes, drawn, strict=True):
            if name is not None and self.derivations and name not in self.derivations.get(lane, {}):
                yield lane, name

    def words(self) -> str:
        """Return the most frequent patterns in words, for a message."""
        if not self.shown:
            return "its folder does not record any"
        ordered = sorted(self.shown.items(), key=lambda entry: (-entry[1], entry[0]))
        listed = [
            f"{described(', '.join(absent))} on {counted(n, 'page')}"
            for absent, n in ordered[:N_LISTED]
        ]
        more = len(ordered) - len(listed)
        return "; ".join([*listed, *([counted(more, "other pattern")] if more else [])])

    def __add__(self, other: LanesSeen) -> LanesSeen:
        lanes = dict.fromkeys((*self.derivations, *other.derivations))
        return LanesSeen(
            dict(Counter(self.shown) + Counter(other.shown)),
            {
                lane: dict(
                    Counter(self.derivations.get(lane, {}))
                    + Counter(other.derivations.get(lane, {}))
                )
                for lane in lanes
            },
        )

    def to_json(self) -> LanesJson:
        """Return the record as JSON values."""
        return {
            "shown": [{"absent": list(absent), "pages": n} for absent, n in self.shown.items()],
            "derivations": {lane: dict(names) for lane, names in self.derivations.items()},
        }

    @classmethod
    def from_json(cls, values: LanesJson) -> LanesSeen:
        """Return the record that ``to_json`` gave."""
        return cls(
            {tuple(one["absent"]): one["pages"] for one in values["shown"]}, values["derivations"]
        )

    @classmethod
    def of(cls, lanes: Sequence[str], pages: Mapping[tuple[Drawn, Absent], float]) -> LanesSeen:
        """Return the record of some pages.

        Parameters
        ----------
        lanes
            Names of the lanes of the montage.
        pages
            Lanes of a page as recorded, and the lanes left out of it → number of pages, which is a
            fraction if a training pass was not finished. What amounts to less than a page was perhaps
            not shown, and is not recorded.
        """
        shown: defaultdict[tuple[str, ...], float] = defaultdict(float)
        derivations: dict[str, defaultdict[str, float]] = {
            lane: defaultdict(float) for lane in lanes
        }
        for (drawn, left_out), n in pages.items():
            left = pattern.without(drawn, left_out)
            shown[pattern.names(lanes, pattern.absent(left))] += n
            for lane, name in zip(lanes, left, strict=True):
                if name is not None:
                    derivations[lane][name] += n
        return cls(_whole(shown), {lane: _whole(names) for lane, names in derivations.items()})


def described(absent: str) -> str:
    """Return a pattern, given as a list of names, in words."""
    return f"without {absent}" if absent else "complete"


def unseen(what: str, model: str, seen: LanesSeen) -> str:
    """Return the sentence that a model was never shown pages like some, without the remedy."""
    return f"{what}; {model} was never shown such pages in training ({seen.words()})"


def _whole(counts: Mapping[Key, float]) -> dict[Key, int]:
    """Return counts rounded down, the largest first, without those below 1."""
    whole = [(key, int(n + 1e-6)) for key, n in counts.items()]
    return dict(
        sorted(((key, n) for key, n in whole if n), key=lambda entry: (-entry[1], entry[0]))
    )
