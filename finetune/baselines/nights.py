"""Nights: the pages of a dataset's splits by recording, each with its signals, found again on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder import lane_signals, pool
from psgimg.builder.errors import BuildError
from psgimg.builder.lane_signals import Here, Lanes, Origin
from psgimg.builder.progress import Progress
from psgimg.finetune.data import page_index, source
from psgimg.finetune.data.page_index import Index, RecordingKey
from psgimg.finetune.data.source import ALL, Source

T = TypeVar("T")

SFREQ_HZ = 100.0
"""Rate at which all methods work; YASA's own."""

PAGE_SAMPLES = 3000


@dataclass(frozen=True, eq=False)
class Night:
    """One recording of a split.

    Parameters
    ----------
    epochs, labels, labels_2 : (n,)
        Number and stage of every page, in order of time, as the dataset has them; a second scorer's
        stage, -1 where there is none.
    drawn
        Derivation in each lane, None in one that was not recorded.
    """

    key: RecordingKey
    origin: Origin
    epochs: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int8]
    labels_2: npt.NDArray[np.int8]
    drawn: tuple[str | None, ...]

    def read(self, *, filtered: bool) -> Lanes:
        """Its lanes at ``SFREQ_HZ``.

        Raises
        ------
        BuildError
            If they can't be read, or their epochs are not those of the dataset.
        """
        found = lane_signals.read(self.origin, sfreq_hz=SFREQ_HZ, filtered=filtered)
        here = [(epoch.index, int(epoch.stage)) for epoch in found.epochs]
        if here != list(zip(self.epochs.tolist(), self.labels.tolist(), strict=True)):
            raise BuildError(
                f"{self.key.recording}: its scoring gives {len(here)} epochs that are not the "
                f"{len(self.epochs)} of the dataset; is this another release of {self.key.corpus}? "
                "Get the scorings again"
            )
        return found


@dataclass(frozen=True, eq=False)
class Nights:
    """The nights of the splits that a baseline needs.

    Parameters
    ----------
    validation
        Empty if the dataset has no such split.
    asked
        Nights of the split to stage.
    """

    train: tuple[Night, ...]
    validation: tuple[Night, ...]
    asked: tuple[Night, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """What a method is given.

    Parameters
    ----------
    workers
        Processes that read recordings, and threads that learn.
    """

    nights: Nights
    seed: int
    workers: int
    progress: Progress


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method makes of it.

    Parameters
    ----------
    staged
        (n_epochs, 5) probabilities of every night that it could stage.
    facts
        Settings and counts, as the file beside the predictions will say.
    """

    staged: Mapping[RecordingKey, npt.NDArray[np.float64]]
    facts: Mapping[str, Any]


def find(
    learn: Sequence[Source], asked: Source, roots: Sequence[str], files: Sequence[str] = ()
) -> Nights:
    """The nights of some splits, and their recordings on disk.

    Parameters
    ----------
    learn
        The train split of a dataset, and its validation split if it has one.
    asked
        The split to stage, of this dataset or of another with the same lanes.
    roots, files
        Folders of corpora, as ``--root`` takes them, and YAML files that describe corpora.

    Raises
    ------
    BuildError
        If a split is not whole, or a recording is not here as it was.
    """
    splits = [*learn, asked]
    indices = [page_index.read(split) for split in splits]
    corpora = {key.corpus for found in indices for key in found.recordings}
    here = lane_signals.on_disk(corpora, roots, files)
    made = [_nights(*pair, here) for pair in zip(splits, indices, strict=True)]
    return Nights(made[0], made[1] if len(learn) > 1 else (), made[-1])


def to_learn(dataset: str, config: str | None, revision: str | None = None) -> list[Source]:
    """The train split of a dataset, and the validation split if there is one."""
    train = source.find(dataset, config, "train", revision)
    own = [s for s in train.build["shards"] if train.config in (ALL, s["corpus"])]
    if not any(shard["split"] == "validation" for shard in own):
        return [train]
    return [train, source.find(dataset, config, "validation", revision)]


def over(
    nights: Sequence[Night],
    work: Callable[[Night], T],
    what: str,
    task: Task,
) -> Iterator[tuple[Night, T]]:
    """What ``work`` makes of each night, as soon as it is ready; ``task.workers`` at a time."""
    task.progress.start(what, len(nights), "recordings")
    jobs = [_Job(i, night, work) for i, night in enumerate(nights)]
    for i, result in pool.run(_done, jobs, task.workers, crashed=_crashed):
        yield nights[i], result
        task.progress.advance()


@dataclass(frozen=True)
class _Job:
    number: int
    night: Night
    work: Callable[[Night], Any]


def _done(job: _Job) -> tuple[int, Any]:
    return job.number, job.work(job.night)


def _crashed(job: _Job) -> tuple[int, Any]:
    raise BuildError(
        f"{job.night.key.recording} twice ended the worker that read it; try more memory or --workers 1"
    )


def _nights(source: Source, found: Index, here: Here) -> tuple[Night, ...]:
    """The nights of a split in order of corpus and recording."""
    names = {(key.corpus, key.recording): number for number, key in enumerate(found.recordings)}
    origins = lane_signals.find(source.build, here, names)
    drawn = {
        (fact["corpus"], fact["recording"]): tuple(fact["lanes"])
        for fact in source.build["recordings"]
    }
    bounds = np.searchsorted(found.recording, np.arange(len(names) + 1))
    nights = []
    for name, number in sorted(names.items()):
        rows = slice(bounds[number], bounds[number + 1])
        columns = (found.epoch[rows], found.label[rows], found.label_2[rows])
        nights.append(Night(found.recordings[number], origins[name], *columns, drawn[name]))
    return tuple(nights)
