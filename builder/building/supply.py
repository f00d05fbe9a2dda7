"""Supply: where the recordings of a command come from, folders on disk and servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from psgimg.builder.access import services
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.access.stock import Stock
from psgimg.builder.building import outcomes
from psgimg.builder.building.arrivals import Arrivals, JobT, R
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import RecordingError
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.recording import Corpus
from psgimg.builder.tasks import Task, refuse_other_signal, refuse_used_signal


@contextmanager
def opened(
    corpora: Sequence[Corpus],
    roots: Sequence[str],
    fetch: FetchConfig | None,
    progress: Progress,
) -> Iterator[tuple[list[Source], dict[str, Stock]]]:
    """Yield the sources of some corpora, and the stock of each corpus that is fetched.

    Parameters
    ----------
    roots
        Folders, as for ``--root``.
    fetch
        How recordings that are not on disk are fetched; None if all are.

    Raises
    ------
    BuildError
        If a corpus is not found, or can't be fetched.
    """
    fetched = [one for one in corpora if fetch is not None and services.can_fetch(one.name)]
    present = [one for one in corpora if one not in fetched]
    located = sources.locate(present, roots, among=corpora)
    if fetch is None or not fetched:
        yield located, {}
        return
    folders = sources.to_fetch(fetched, roots, among=corpora)
    with services.stocked(folders, fetch, progress.note) as stocks:
        afar = [Source(one, folders[one.name], listing=stocks[one.name].listing) for one in fetched]
        order = [one.name for one in corpora]
        yield sorted([*located, *afar], key=lambda one: order.index(one.corpus.name)), stocks


@contextmanager
def arriving(
    jobs: Sequence[JobT],
    stocks: Mapping[str, Stock],
    bring: Callable[[JobT, Stock], JobT],
    failed: Callable[[JobT, RecordingError], R],
    fetch: FetchConfig | None,
    workers: int,
    progress: Progress,
) -> Iterator[Arrivals[JobT, R] | None]:
    """Yield the feed of the jobs as their recordings are fetched; None if all are on disk.

    Parameters
    ----------
    bring, failed
        See ``Arrivals``.
    workers
        Number of processes that do the jobs.

    Raises
    ------
    BuildError
        If the disk can't hold the recordings that are there at the same time.
    """
    if fetch is None or not stocks:
        yield None
        return
    ahead = 2 * workers + fetch.connections
    _require_space(jobs, stocks, fetch, ahead, progress)
    arrivals = Arrivals(jobs, stocks, bring, failed, connections=fetch.connections, ahead=ahead)
    try:
        yield arrivals
    finally:
        arrivals.close()
        for corpus in arrivals.changed:
            services.forget(corpus, stocks[corpus].listing.root)


def _require_space(
    jobs: Sequence[JobT],
    stocks: Mapping[str, Stock],
    fetch: FetchConfig,
    ahead: int,
    progress: Progress,
) -> None:
    """Say what is to be fetched, and refuse to begin if the disk can't hold it."""
    for corpus, stock in stocks.items():
        own = [job.recording.own for job in jobs if job.recording.corpus == corpus]
        sizes = sorted(filter(None, map(stock.n_bytes, own)))
        at_once = sum(sizes if fetch.keep else sizes[-ahead:])
        remedy = "leave out --keep" if fetch.keep else "give fewer --workers"
        services.require_space(stock.listing.root, at_once, remedy)
        if sizes:
            progress.note(
                f"{len(sizes):,} recordings of {corpus} are fetched, {sum(sizes) / 1e9:.2f} GB; at most "
                f"{at_once / 1e9:.2f} GB of them are in {stock.listing.root} at the same time"
            )


@contextmanager
def arriving_tasks(
    config: BuildConfig,
    tasks: Sequence[Task],
    done: Mapping[Key, Done],
    stocks: Mapping[str, Stock],
    progress: Progress,
) -> Iterator[Arrivals[Task, Failed] | None]:
    """Yield the feed of the recordings of a build; see ``arriving``.

    Parameters
    ----------
    done
        What is finished; a recording with the signal of one that is no longer on disk is refused.
    """
    keys = {task.key for task in tasks}
    used = {one.facts["signal"]: key[1] for key, one in done.items() if key not in keys}

    def bring(task: Task, stock: Stock) -> Task:
        if task.identity is not None and not stock.is_remote(task.recording.own):
            stock.require_listed(task.identity)
            return task
        identity = stock.bring(task.recording.own)
        refuse_other_signal(config.pinned, task.recording, identity.signal)
        refuse_used_signal(used, task.recording, identity.signal)
        return replace(task, identity=identity)

    with arriving(
        tasks, stocks, bring, outcomes.failed, config.fetch, config.workers, progress
    ) as arrivals:
        yield arrivals
