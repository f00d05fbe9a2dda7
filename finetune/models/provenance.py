"""Provenance: all data that a model was trained on, including the training of its base model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from psgimg.builder.files.safe_names import expanded
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.render.recipe import digest
from psgimg.finetune.data.page_index import RecordingKey
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.lanes.seen import LanesSeen
from psgimg.finetune.models import identity
from psgimg.finetune.models.manifest import TINY


@dataclass(frozen=True)
class Lineage:
    """The data of this training of a model and of earlier ones.

    Parameters
    ----------
    policy, corpora
        The strictest policy of all corpora, and their names.
    subjects
        Hashes of the subjects, by which later commands recognise subjects used for training.
    lanes
        What earlier trainings on pages of the same recipe recorded about lanes; pages of another
        recipe show other pictures of them.
    epochs_s
        Lengths of the scored epochs of those trainings and of this one.
    began_from
        Name of the base model if it was itself fine-tuned with psgimg, else None.
    """

    policy: str
    corpora: tuple[str, ...]
    subjects: tuple[str, ...]
    lanes: LanesSeen
    epochs_s: tuple[float, ...]
    began_from: str | None


def of(model: str, train: PageSet) -> Lineage:
    """Return the lineage of a model that starts from another and is trained on some pages.

    Raises
    ------
    BuildError
        If the base model does not exist.
    """
    before = None if model == TINY else identity.identify(model).folder
    policies = {train.build["policy"], *([before.policy] if before else [])}
    strictest = Policy.OPEN.value if policies == {Policy.OPEN.value} else Policy.RESTRICTED.value
    rows = {key.corpus for key in train.index.recordings}
    corpora = {*train.build["corpora"], *rows, *(before.corpora if before else ())}
    hashes = {subject(*key) for key in subjects(train)}
    alike = before if before and before.recipe_hash == train.build["recipe_hash"] else None
    lengths_s = {train.source.epochs_s[key.corpus, key.recording] for key in recordings(train)}
    return Lineage(
        policy=strictest,
        corpora=tuple(sorted(corpora)),
        subjects=tuple(sorted(hashes | set(before.subjects if before else ()))),
        lanes=alike.lanes if alike else LanesSeen(),
        epochs_s=tuple(sorted(lengths_s | set(alike.epochs_s if alike else ()))),
        began_from=expanded(model).name if before else None,
    )


def subjects(pages: PageSet) -> set[tuple[str, str]]:
    """Return corpus and name of the subjects of the selected pages."""
    return {(key.corpus, key.subject) for key in recordings(pages)}


def recordings(pages: PageSet) -> list[RecordingKey]:
    """Return the recordings of the selected pages."""
    return [
        pages.index.recordings[number] for number in np.unique(pages.index.recording[pages.rows])
    ]


def subject(corpus: str, name: str) -> str:
    """Return the hash that stands for a subject in a manifest."""
    return digest([corpus, name])
