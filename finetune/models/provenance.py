"""Provenance: all data that a model was trained on, including the training of its base model."""

from __future__ import annotations

from dataclasses import dataclass

from psgimg.builder.files.safe_names import expanded
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.render.recipe import digest
from psgimg.finetune.data.page_set import PageSet
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
    began_from
        Name of the base model if it was itself fine-tuned with psgimg, else None.
    """

    policy: str
    corpora: tuple[str, ...]
    subjects: tuple[str, ...]
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
    return Lineage(
        policy=strictest,
        corpora=tuple(sorted(corpora)),
        subjects=tuple(sorted(hashes | set(before.subjects if before else ()))),
        began_from=expanded(model).name if before else None,
    )


def subjects(pages: PageSet) -> set[tuple[str, str]]:
    """Return corpus and name of the subjects of the selected pages."""
    recordings = {int(number) for number in pages.index.recording[pages.rows]}
    keys = [pages.index.recordings[number] for number in sorted(recordings)]
    return {(key.corpus, key.subject) for key in keys}


def subject(corpus: str, name: str) -> str:
    """Return the hash that stands for a subject in a manifest."""
    return digest([corpus, name])
