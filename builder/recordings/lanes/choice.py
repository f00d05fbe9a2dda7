"""Lane choice: which of its derivations each lane shows, decided for all lanes together.

In this order: as few empty lanes as possible, no electrode twice, no midline substitute where another
can be had, one kind of reference over the EEG lanes, one side of the head, each lane's own order.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, groupby, product
from math import inf
from operator import itemgetter

from psgimg.builder.recordings.lanes.assignment import assign

Shares = tuple[frozenset[str], frozenset[str]]
"""References and sides that the EEG lanes may show."""

SCALP = re.compile("(Fp|AF|F|FT|FC|T|TP|C|CP|P|PO|O)(z|10|[1-9])")

CONTRALATERAL, IPSILATERAL, BIPOLAR, OTHER = "contralateral", "ipsilateral", "bipolar", "other"
_STATED = ("LER", "CLE", "REF")
_SIDES = frozenset({"left", "right"})

_RANK = 10**4
_LAST_RESORT = 10**9
_EMPTY = 10**12
"""Costs: no sum of the smaller ever reaches the next one."""


@dataclass(frozen=True)
class Choices:
    """What a lane can show.

    Parameters
    ----------
    eeg
        Whether it is an EEG lane; only these must agree on reference and side.
    first
        The derivation that the lane was made for.
    names
        Derivations that the file has, each with its rank in the lane's list, best first.
    given
        Whether the user assigned the only derivation, which is then shown in any case.
    """

    eeg: bool
    first: str
    names: tuple[tuple[int, str], ...]
    given: bool = False


@dataclass(frozen=True)
class _Option:
    name: str
    place: str
    cost: float
    reference: str
    side: str


def electrode(name: str) -> str:
    """Return the active electrode of a derivation: ``C4`` of ``C4-M1``."""
    return name.partition("-")[0]


def reference(name: str) -> str:
    """Return the kind of reference of a derivation, by which amplitudes can be compared.

    A mastoid is contralateral or ipsilateral to the electrode; those on the midline have either.
    """
    plus, _, minus = name.partition("-")
    if minus in ("M1", "M2"):
        return IPSILATERAL if side(plus) == side(minus) else CONTRALATERAL
    if SCALP.fullmatch(minus):
        return BIPOLAR
    return (minus or "REF") if (minus or "REF") in _STATED else OTHER


def side(name: str) -> str:
    """Return the side of a derivation's active electrode: odd numbers are left; "" is the midline."""
    number = re.search(r"\d+$", electrode(name))
    return "" if number is None else ("right", "left")[int(number[0]) % 2]


def choose(lanes: Sequence[Choices]) -> tuple[str | None, ...]:
    """Return the derivation that each lane shows; None for a lane that stays empty.

    An electrode stands in one lane only, except where the montage asks for it: lanes whose first
    derivations are different ones of one electrode (``C4-M1`` and ``C4-O2``) may all show it.
    """
    options = _options(lanes)
    least, _ = _assign(lanes, options, None)
    for _, shares in groupby(_shares(lanes, options), key=_size):
        filled = [_assign(lanes, options, share) for share in shares]
        # None is lost for the sake of agreement, nor left with its last resort.
        if kept := [one for one in filled if one[0] // _LAST_RESORT <= least // _LAST_RESORT]:
            return min(kept, key=itemgetter(0))[1]
    raise AssertionError("the last share is everything")


def _shares(lanes: Sequence[Choices], options: Sequence[Sequence[_Option]]) -> list[Shares]:
    """Return all combinations of references and of sides, the fewest first."""
    references = {one.reference for listed in options for one in listed}
    given = [lane.names[0][1] for lane in lanes if lane.eeg and lane.given]
    kinds, sides = set(map(reference, given)), set(filter(None, map(side, given)))
    shares = {
        (frozenset(kinds.union(some)), frozenset(sides.union(others)))
        for some, others in product(_subsets(references), _subsets(_SIDES))
    }
    return sorted(shares, key=lambda one: (_size(one), *map(sorted, one)))


def _size(share: Shares) -> tuple[int, int]:
    return len(share[0]), len(share[1])


def _subsets(values: Collection[str]) -> Iterator[tuple[str, ...]]:
    ordered = sorted(values)
    return chain.from_iterable(combinations(ordered, n) for n in range(len(ordered) + 1))


def _options(lanes: Sequence[Choices]) -> list[list[_Option]]:
    """Return the options of each lane; options of the same place exclude each other."""
    firsts: dict[str, set[str]] = {}
    for lane in lanes:
        firsts.setdefault(electrode(lane.first), set()).add(lane.first)
    # Electrodes that the montage wants several times, and can have.
    repeated = {
        electrode(lane.first)
        for lane in lanes
        if len(firsts[electrode(lane.first)]) > 1
        and any(electrode(lane.first) == electrode(name) for _, name in lane.names)
    }
    given = {lane.names[0][1] for lane in lanes if lane.given}
    seen: set[str] = set()
    options = []
    for i, lane in enumerate(lanes):
        own = electrode(lane.first) if lane.first not in seen else ""
        if lane.names:
            seen.add(lane.first)
        listed = []
        for rank, name in lane.names:
            place = electrode(name)
            if lane.given:
                place = f"given {i}"
            elif place in repeated:
                place = name if place == own and name not in given else ""
            elif any(place == electrode(other) for other in given):
                place = ""
            if place:
                listed.append(_option(lane, rank, name, place, len(lanes) - i))
        options.append(listed)
    return options


def _option(lane: Choices, rank: int, name: str, place: str, n_below: int) -> _Option:
    """Return an option; of two lanes that could go down their lists, the lower one does."""
    kind = reference(name)
    last = lane.eeg and kind == BIPOLAR != reference(lane.first)
    cost = rank * (_RANK + n_below) + (_LAST_RESORT if last else 0)
    return _Option(name, place, cost, kind, side(name))


def _assign(
    lanes: Sequence[Choices], options: Sequence[Sequence[_Option]], share: Shares | None
) -> tuple[float, tuple[str | None, ...]]:
    """Return the least cost of filling the lanes with what EEG lanes may share, and the names."""
    places = sorted({one.place for listed in options for one in listed})
    column = {place: i for i, place in enumerate(places)}
    costs = [[inf] * (len(places) + len(lanes)) for _ in lanes]
    shown: dict[tuple[int, int], str] = {}
    for row, (lane, listed) in enumerate(zip(lanes, options, strict=True)):
        costs[row][len(places) + row] = _EMPTY + len(lanes) - row  # rather a lower lane
        for one in listed:
            cell = row, column[one.place]
            if (
                share is None or not lane.eeg or lane.given or _fits(one, share)
            ) and one.cost < costs[row][cell[1]]:
                costs[row][cell[1]] = one.cost
                shown[cell] = one.name
    cells = list(enumerate(assign(costs)))
    return sum(costs[row][at] for row, at in cells), tuple(shown.get(cell) for cell in cells)


def _fits(option: _Option, share: Shares) -> bool:
    references, sides = share
    return option.reference in references and option.side in {"", *sides}
