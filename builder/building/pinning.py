"""Pinning: what a labels-only export determines of the build that recreates its dataset."""

from __future__ import annotations

from collections.abc import Mapping

from psgimg.builder.card import labels_card
from psgimg.builder.dataset import placements, splits
from psgimg.builder.dataset.config import Pinned
from psgimg.builder.dataset.rebuild_json import PicturedRecording
from psgimg.builder.dataset.shards import Key
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.exports.labels_only import Export
from psgimg.builder.placing import named
from psgimg.builder.placing.named import NamedSplit


def pinned(export: Export, facts: Mapping[Key, PicturedRecording]) -> Pinned:
    """Return how to draw some recordings of an export, and who is in which split and fold.

    Raises
    ------
    BuildError
        If this psgimg lacks the published split of the export.
    """
    fixed = export.values["fixed"]
    train, validation, test = fixed["splits"]
    published = splits.published(
        (((corpus, subject), split) for corpus, subject, split in fixed["published_split"]),
        str(export.folder / labels_only.FILE),
    )
    policy = SplitPolicy(
        (train, validation, test),
        fixed["seed"],
        published,
        _named(export),
        placements.in_splits(export.values),
    )
    return Pinned(
        command=f"psgimg rebuild {labels_card.FOLDER}",
        spec=export.spec,
        policy=policy,
        signals={key: fact["signal"] for key, fact in facts.items()},
        names=[*facts.values()],
        placements=export.values["placements"],
    )


def _named(export: Export) -> NamedSplit | None:
    """Return the published split of an export that psgimg brings.

    Raises
    ------
    BuildError
        If this psgimg does not have it, or with another table.
    """
    if (stated := export.values["fixed"].get("named_split")) is None:
        return None
    if (found := named.stated(stated)) is None:
        raise BuildError(
            f"{export.folder} was split by {stated['name']}, of which this psgimg has no such table; "
            f"install its version, `pip install psgimg=={export.values['psgimg']}`"
        )
    return found
