"""Nights: the pages of a dataset's splits by recording, with the signals on disk behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder import lane_signals
from psgimg.builder.access import supply
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.access.stock import Stock
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.lane_signals import Here, Lanes, Origin
from psgimg.builder.processes import pool
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.signals.epoching import Epoch
from psgimg.finetune.data import page_index, sampling, source
from psgimg.finetune.data.page_index import NO_STAGE, Index, RecordingKey
from psgimg.finetune.data.soft_labels import SoftLabels
from psgimg.finetune.data.source import Source
from psgimg.finetune.data.votes import Votes

T = TypeVar("T")

SFREQ_HZ = 100.0
"""Sampling rate used by the methods, which is that of YASA, unless they state another."""

PAGE_SAMPLES = 3000
"""Number of samples of a page at ``SFREQ_HZ``."""


@dataclass(frozen=True, eq=False)
class Night:
    """One recording of a split.

    Parameters
    ----------
    key
        Corpus, subject and recording.
    origin
        The recording on disk, and how its pages are drawn.
    epochs, labels, labels_2 : (n,)
        Epoch number and scored stage of every page in chronological order; stage by a second scorer,
        -1 where missing.
    drawn
        Derivation in each lane; None if it was not recorded.
    epoch_s
        Length of a scored epoch in seconds.
    """

    key: RecordingKey
    origin: Origin
    epochs: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int8]
    labels_2: npt.NDArray[np.int8]
    drawn: tuple[str | None, ...]
    epoch_s: float

    def scorers(self, votes: Votes | None) -> SoftLabels:
        """Return the scorers of its pages; without votes, not even empty ones, those of the labels."""
        if votes is None:
            return SoftLabels.of_columns(self.labels, np.full_like(self.labels, NO_STAGE), ())
        key = self.key.corpus, self.key.recording
        voted = [votes.get((*key, epoch)) for epoch in self.epochs.tolist()]
        return SoftLabels.of_columns(self.labels, self.labels_2, voted)

    def read(self, *, filtered: bool, sfreq_hz: float = SFREQ_HZ) -> Lanes[Epoch]:
        """Read the lanes of the recording.

        Parameters
        ----------
        filtered
            Whether to apply the filters of the dataset's recipe.

        Raises
        ------
        BuildError
            If the signals can't be read, or the epochs differ from those of the dataset.
        """
        lanes = lane_signals.read(self.origin, sfreq_hz=sfreq_hz, filtered=filtered)
        on_disk = [(epoch.index, int(epoch.stage)) for epoch in lanes.epochs]
        if on_disk != list(zip(self.epochs.tolist(), self.labels.tolist(), strict=True)):
            raise BuildError(
                f"{self.key.recording}: the {len(on_disk)} epochs of its scoring differ from the "
                f"{len(self.epochs)} of the dataset; use the release of {self.key.corpus} that the "
                "dataset was built from"
            )
        return lanes


@dataclass(frozen=True, eq=False)
class Nights:
    """The nights of the splits that a baseline needs.

    Parameters
    ----------
    train
        Nights of the train split.
    validation
        Nights of the validation split; empty if the dataset has none.
    target
        Nights of the split to stage.
    """

    train: tuple[Night, ...]
    validation: tuple[Night, ...]
    target: tuple[Night, ...]

    def fewer(self, n_subjects: int | None, seed: int) -> Nights:
        """Return them with the nights of some training subjects; None: of all.

        Raises
        ------
        BuildError
            If there are fewer subjects.
        """
        chosen = sampling.subjects([night.key for night in self.train], n_subjects, seed)
        return replace(self, train=tuple(one for one in self.train if one.key[:2] in chosen))


@dataclass(frozen=True, eq=False)
class Task:
    """The input of a method.

    Parameters
    ----------
    nights
        Nights to train on and to stage.
    seed
        Random seed.
    workers
        Number of processes that read recordings, and of threads used for training.
    progress
        Receives progress and notes.
    fetch, stocks
        How recordings that are not on disk are fetched, and the files of each corpus that is.
    votes
        How many scorers chose each stage, to learn from all of them; None: learn from the labels.
    """

    nights: Nights
    seed: int
    workers: int
    progress: Progress
    fetch: FetchConfig | None = None
    stocks: Mapping[str, Stock] = field(default_factory=dict)
    votes: Votes | None = None


@contextmanager
def found(
    training: Sequence[Source],
    target: Source,
    roots: Sequence[str],
    files: Sequence[str],
    fetch: FetchConfig | None,
    progress: Progress,
) -> Iterator[tuple[Nights, Mapping[str, Stock]]]:
    """Yield the nights of some splits, located on disk or on servers, and what is fetched.

    Parameters
    ----------
    training
        The train split of a dataset, followed by its validation split if it has one.
    target
        The split to stage, of this dataset or of another with the same lanes.
    roots, files
        Folders of corpora, as for ``--root``, and YAML files that describe corpora.
    fetch
        How recordings that are not on disk are fetched; None if all are.

    Raises
    ------
    BuildError
        If a split is incomplete, or a recording is missing or has changed.
    """
    splits = [*training, target]
    indices = page_index.read_each(splits)
    names = {key.corpus for index in indices for key in index.recordings}
    corpora = lane_signals.corpora(names, files)
    with supply.opened(corpora, roots, fetch, progress) as (located, stocks):
        here = lane_signals.listed(located)
        nights = [_nights(*pair, here, stocks) for pair in zip(splits, indices, strict=True)]
        yield Nights(nights[0], nights[1] if len(training) > 1 else (), nights[-1]), stocks


def training_sources(dataset: str, config: str | None, fold: int | None = None) -> list[Source]:
    """Return the train split of a dataset or a fold, and its validation split if it has one."""
    train = source.find(dataset, config, "train", fold=fold)
    if "validation" not in train.splits:
        return [train]
    return [train, source.find(dataset, config, "validation", fold=fold)]


def process(
    nights: Sequence[Night],
    work: Callable[[Night], T],
    what: str,
    task: Task,
) -> Iterator[tuple[Night, T]]:
    """Yield each night with the result of ``work``, as completed, in ``task.workers`` processes.

    Parameters
    ----------
    nights
        Nights to process.
    work
        Function of a night; picklable.
    what
        Name of the work on the progress bar.
    task
        Number of workers and progress.

    Raises
    ------
    BuildError
        If a worker process dies twice on the same recording, or one can't be fetched.
    """
    task.progress.start(what, len(nights), "recordings")
    jobs = [_Job(i, night, work) for i, night in enumerate(nights)]
    with supply.arriving(
        jobs, task.stocks, _bring, _lost, task.fetch, task.workers, task.progress
    ) as arrivals:
        for i, result in pool.run(_done, arrivals or jobs, task.workers, crashed=_crashed):
            if arrivals is not None:
                arrivals.used(i)
            yield nights[i], result
            task.progress.advance()


@dataclass(frozen=True)
class _Job:
    key: int
    night: Night
    work: Callable[[Night], Any]

    @property
    def recording(self) -> Recording:
        return self.night.origin.recording


def _bring(job: _Job, stock: Stock) -> _Job:
    """Have a night's files fetched if they are not on disk, and compare them with the dataset's."""
    if stock.is_remote(job.recording.own):
        job.night.origin.require_same(stock.bring(job.recording.own).signal)
    return job


def _lost(job: _Job, error: RecordingError) -> tuple[int, Any]:
    raise BuildError(f"{job.night.key.recording} can't be fetched: {error.detail}") from error


def _done(job: _Job) -> tuple[int, Any]:
    return job.key, job.work(job.night)


def _crashed(job: _Job) -> tuple[int, Any]:
    raise BuildError(
        f"{job.night.key.recording} crashed its worker process twice; try more memory or --workers 1"
    )


def _nights(
    source: Source, index: Index, here: Here, stocks: Mapping[str, Stock]
) -> tuple[Night, ...]:
    """Return the nights of a split in order of corpus and recording."""
    names = {
        (key.corpus, key.recording): number
        for number, key in enumerate(index.recordings)
        if source.has(key.corpus, key.subject)
    }
    origins = lane_signals.find(source.build, here, names, stocks)
    drawn = {
        (fact["corpus"], fact["recording"]): tuple(fact["lanes"])
        for fact in source.build["recordings"]
    }
    bounds = np.searchsorted(index.recording, np.arange(len(index.recordings) + 1))
    nights = []
    for name, number in sorted(names.items()):
        rows = slice(bounds[number], bounds[number + 1])
        columns = (index.epoch[rows], index.label[rows], index.label_2[rows])
        others = (drawn[name], source.epochs_s[name])
        nights.append(Night(index.recordings[number], origins[name], *columns, *others))
    return tuple(nights)
