"""Lineage: everything that a model has learned from, its base's teaching included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.recordings.recording import Policy
from psgimg.builder.render.recipe import digest
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.models import identity
from psgimg.finetune.models.manifest import TINY


@dataclass(frozen=True)
class Lineage:
    """What a model learned from, here and before.

    Parameters
    ----------
    policy, corpora
        The strictest policy of all corpora, and their names.
    subjects
        A hash of each subject, so that nobody is taken for unseen.
    began_from
        The model it began from, if psgimg had taught that one too.
    """

    policy: str
    corpora: tuple[str, ...]
    subjects: tuple[str, ...]
    began_from: str | None


def of(model: str, train: PageSet) -> Lineage:
    """Lineage of a model that begins from another and learns from some pages.

    Raises
    ------
    BuildError
        If there is no such model.
    """
    before = None if model == TINY else identity.known(model).folder
    policies = {train.build["policy"], *([before.policy] if before else [])}
    strictest = Policy.OPEN.value if policies == {Policy.OPEN.value} else Policy.RESTRICTED.value
    corpora = {*train.build["corpora"], *(before.corpora if before else ())}
    people = {subject(*who) for who in subjects(train)}
    return Lineage(
        policy=strictest,
        corpora=tuple(sorted(corpora)),
        subjects=tuple(sorted(people | set(before.subjects if before else ()))),
        began_from=Path(model).expanduser().name if before else None,
    )


def subjects(pages: PageSet) -> set[tuple[str, str]]:
    """Corpus and subject of everybody whose pages are asked about."""
    recordings = {int(number) for number in pages.index.recording[pages.rows]}
    keys = [pages.index.recordings[number] for number in sorted(recordings)]
    return {(key.corpus, key.subject) for key in keys}


def subject(corpus: str, name: str) -> str:
    """Hash of a subject."""
    return digest([corpus, name])
