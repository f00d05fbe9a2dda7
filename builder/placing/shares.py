"""Shares: places people in splits or folds so that each has its share, and moves nobody.

The unit is a group of people who stay together: a person, or relatives. Of n people, a place whose
share is p gets n·p of them to within one person, or, where relatives took part, to within the size of
the largest family. As far as that allows, no place with a share stays empty. The order of the groups is
a seeded hash of their names, so that the result depends only on the people, the seed and who was placed
before. Those keep their place; whoever is new fills what is missing.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

ROUNDING = 1e-9
"""Shares such as 0.1 have no exact binary form: deviations that differ by less are equal."""


def place(
    sizes: Mapping[str, int],
    shares: Sequence[float],
    key: str,
    before: Mapping[str, int],
    first: Sequence[int] | None = None,
) -> dict[str, int]:
    """Return the place of every group, as an index into ``shares``.

    Parameters
    ----------
    sizes
        Name of a group → number of its people, 1 or more.
    shares
        Proportion of each place, not negative; they need not sum to 1, but to more than 0.
    key
        Seeds the order of the groups.
    before
        Group → place of those placed earlier, who stay; groups not in ``sizes`` are ignored.
    first
        The places in the order in which single people are handed out where shares are equal; by
        default in the order of ``shares``.
    """
    kept = {name: before[name] for name in sizes if name in before}
    held = [0] * len(shares)
    for name, index in kept.items():
        held[index] += sizes[name]
    wanted = targets(sum(sizes.values()), shares, held, first)
    new = sorted(
        (name for name in sizes if name not in kept),
        key=lambda name: (-sizes[name], _digest(key, name), name),
    )
    ranks = list(first or range(len(shares)))
    queue = [(held[i] - wanted[i], rank, i) for rank, i in enumerate(ranks)]
    heapq.heapify(queue)
    placed = dict(kept)
    # The largest families first, each where most are lacking: single people even out what they leave.
    lone = [0] * len(shares)
    for name in new:
        excess, rank, index = queue[0]
        heapq.heapreplace(queue, (excess + sizes[name], rank, index))
        if sizes[name] > 1:
            placed[name] = index
        else:
            lone[index] += 1
    # Of single people each place takes a stretch of the order, the first place in the middle, so that
    # a dataset of slightly other people that is placed anew has almost the same people in each place.
    singles = (name for name in new if sizes[name] == 1)
    for index in (*ranks[1:2], ranks[0], *ranks[2:]):
        placed |= dict.fromkeys(islice(singles, lone[index]), index)
    _spread(placed, new, sizes, shares, ranks)
    return placed


def _spread(
    placed: dict[str, int],
    new: Sequence[str],
    sizes: Mapping[str, int],
    shares: Sequence[float],
    ranks: Sequence[int],
) -> None:
    """Move new families, small ones first, to places that stayed empty, as far as all shares allow."""
    total, n = sum(shares), sum(sizes.values())
    quotas = [n * (share / total) for share in shares]
    largest = max(sizes.values(), default=1)
    groups = Counter(placed.values())
    counts = [0] * len(shares)
    for name, index in placed.items():
        counts[index] += sizes[name]
    for empty in (i for i in ranks if shares[i] > 0 and not groups[i]):
        for name in reversed(new):
            index, size = placed[name], sizes[name]
            allowed = quotas[index] - (counts[index] - size) <= largest + ROUNDING
            if groups[index] > 1 and allowed and size - quotas[empty] <= largest + ROUNDING:
                placed[name] = empty
                counts[index] -= size
                groups[index] -= 1
                break


def targets(
    n: int, shares: Sequence[float], held: Sequence[int], first: Sequence[int] | None = None
) -> list[int]:
    """Return the number of people that each place should have, whole and summing to ``n``.

    Parameters
    ----------
    held
        Numbers placed earlier, which can only grow.
    first
        See ``place``.
    """
    total = sum(shares)
    quotas = [n * (share / total) for share in shares]
    ranks = list(first or range(len(shares)))
    able = [i for i in ranks if shares[i] > 0]
    lacking = [i for i in able if not held[i]]
    # Fill as many of the empty places as leave all others within one person of their share.
    for n_filled in range(min(len(lacking), n - sum(held)), 0, -1):
        filled = [*held]
        for i in lacking[:n_filled]:
            filled[i] = 1
        found = _fill(n, quotas, filled, able)
        if all(abs(c - q) <= 1 + ROUNDING for c, q in zip(found, quotas, strict=True)):
            return found
    return _fill(n, quotas, [*held], able)


def _fill(n: int, quotas: Sequence[float], counts: list[int], able: Sequence[int]) -> list[int]:
    """Hand out people one by one until there are ``n``, each to the place that lacks most."""
    queue = [(round((counts[i] - quotas[i]) / ROUNDING), rank, i) for rank, i in enumerate(able)]
    heapq.heapify(queue)
    for _ in range(n - sum(counts)):
        _, rank, i = queue[0]
        counts[i] += 1
        heapq.heapreplace(queue, (round((counts[i] - quotas[i]) / ROUNDING), rank, i))
    return counts


def _digest(key: str, name: str) -> bytes:
    return hashlib.sha256(f"{key}/{name}".encode("utf-8", "surrogatepass")).digest()
