"""Shard plan: which recordings go into which shard."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.dataset.shards import Done, Key

PER_SHARD = 64
"""Largest mean number of recordings per shard: 500 MB to 1.5 GB, few files, small updates."""

Place = tuple[str, str, SplitName]
"""Name of a shard under ``data/``, its corpus and its split."""


@dataclass(frozen=True)
class Shard:
    """A shard to write: its name under ``data/`` and its recordings in order."""

    name: str
    corpus: str
    split: SplitName
    recordings: tuple[Done, ...]


def plan(recordings: Iterable[Done], splits: Mapping[Key, SplitName]) -> list[Shard]:
    """Assign finished recordings to shards; see ``arrange``."""
    by_key = {done.key: done for done in recordings}
    kin_of = {key: done.facts["kin"] for key, done in by_key.items()}
    return [
        Shard(*place, tuple(by_key[key] for key in keys))
        for place, keys in arrange(kin_of, splits).items()
    ]


def arrange(kin_of: Mapping[Key, str], splits: Mapping[Key, SplitName]) -> dict[Place, list[Key]]:
    """Assign recordings to shards by a hash of the family, so that adding one changes few shards.

    The number of shards of a corpus and split is a power of two, so that growth divides each shard.

    Parameters
    ----------
    kin_of
        Recording → its family, or its subject.
    """
    groups: dict[tuple[str, SplitName], list[Key]] = defaultdict(list)
    for key in kin_of:
        groups[key[0], splits[key]].append(key)
    places: dict[Place, list[Key]] = {}
    for (corpus, split), members in sorted(groups.items()):
        n_shards = 1
        while n_shards * PER_SHARD < len(members):
            n_shards *= 2
        buckets: dict[int, list[Key]] = defaultdict(list)
        for key in sorted(members):
            buckets[_bucket(corpus, kin_of[key], n_shards)].append(key)
        for i, bucket in sorted(buckets.items()):
            name = f"{corpus}/{split}-{i:05d}-of-{n_shards:05d}.parquet"
            places[name, corpus, split] = bucket
    return places


def _bucket(corpus: str, kin: str, n_shards: int) -> int:
    digest = hashlib.sha256(f"{corpus}/{kin}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * n_shards >> 64
