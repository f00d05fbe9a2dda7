"""Planning: what a build will do, given the recordings on disk and what earlier runs have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psgimg.builder.access.stock import Stock
from psgimg.builder.corpora.presence import Presence
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset import (
    build_report,
    corpus_record,
    placements,
    public_names,
    settings,
    shards,
)
from psgimg.builder.dataset.build_json import BuildJson, RecordingFacts
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Planned, make_tasks


@dataclass(frozen=True)
class Plan:
    """What a build will do.

    Parameters
    ----------
    planned
        The recordings to draw, those set aside before, and everyone's split.
    done
        The finished recordings in the folder.
    published
        The recordings of the finished dataset in it, if there is one.
    stocks
        Corpus → its files on a server.
    """

    config: BuildConfig
    policy: SplitPolicy
    planned: Planned
    done: Mapping[Key, Done]
    published: frozenset[Key]
    presence: Presence
    stocks: Mapping[str, Stock]

    @property
    def ranks(self) -> dict[Key, int]:
        """Order of the recordings that this run adds."""
        order = enumerate(self.planned.tasks)
        return {task.key: rank for rank, task in order if task.key not in self.published}

    def withdraw(self, set_aside: Sequence[SetAside], refused: Sequence[SetAside]) -> None:
        """Remove recordings that can't be used from the folder, if an earlier run drew them.

        Parameters
        ----------
        refused
            Those of ``set_aside`` that would have been drawn.
        """
        used = {task.key for task in self.planned.tasks} - {entry.key for entry in refused}
        for entry in set_aside:
            if entry.key not in used:
                shards.discard(self.config.out, self.done.get(entry.key))


def plan(
    config: BuildConfig,
    found: Sequence[Source],
    stocks: Mapping[str, Stock],
    progress: Progress,
) -> Plan:
    """Return the plan of a build, or that of a part of one; record the settings in the folder.

    Raises
    ------
    BuildError
        If the folder was built with other settings, or people can't be placed as demanded.
    """
    done = shards.finished(config.out)
    built = [one.facts for one in done.values()]
    located = _with_public_names(config, found, built, progress)
    settings.refuse_others(config)
    earlier = build_report.read_earlier(config.out)
    policy = config.split_policy().keeping(placements.in_splits(earlier))
    corpus_record.refuse_unnamed(config.out, config.corpora, earlier, built)
    published = frozenset(
        (fact["corpus"], fact["recording"]) for fact in (earlier["recordings"] if earlier else ())
    )
    _note_new_folds(config, earlier, progress)
    people = dict(zip(done, placements.persons(built), strict=True))
    planned = make_tasks(config, located, policy, published, people, stocks)
    mine = {key: one for key, one in done.items() if key not in planned.of_others}
    return Plan(config, policy, planned, mine, published, Presence(located), stocks)


def _note_new_folds(config: BuildConfig, earlier: BuildJson | None, progress: Progress) -> None:
    """Report that another number of folds gives everyone a fold anew."""
    if earlier and earlier["folds"] and config.folds not in (0, earlier["folds"]):
        progress.note(
            f"{build_report.FOLDS_FILE} had {earlier['folds']} folds and gets {config.folds}: everyone is "
            "given a fold anew, and models trained with the former folds can't be tested with these"
        )


def _with_public_names(
    config: BuildConfig,
    located: Sequence[Source],
    built: Sequence[RecordingFacts],
    progress: Progress,
) -> list[Source]:
    """Return the sources with their recordings under public names, and report new numbers."""
    known = config.pinned.names if config.pinned else built
    public, _ = public_names.assign(located, config.out, known, config.listed_subjects, save=True)
    if n := sum(one.original is not None for source in public for one in source.published or ()):
        progress.note(
            f"{n} recordings are published under numbers, as their names could be those of people; "
            f"{config.out / public_names.FILE} links the two and stays on this machine"
        )
    return public
