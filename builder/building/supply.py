"""Supply: where the recordings of a build come from, folders on disk and servers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from psgimg.builder.access import services
from psgimg.builder.access.stock import Stock
from psgimg.builder.building.arrivals import Arrivals
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Task, refuse_other_signal, refuse_used_signal


@contextmanager
def opened(
    config: BuildConfig, progress: Progress
) -> Iterator[tuple[list[Source], dict[str, Stock]]]:
    """Yield the sources of a build, and the stock of each corpus that is fetched.

    Raises
    ------
    BuildError
        If a corpus is not found, or can't be fetched.
    """
    fetched = [
        one for one in config.corpora if config.fetch is not None and services.can_fetch(one.name)
    ]
    present = [one for one in config.corpora if one not in fetched]
    located = sources.locate(present, config.root, among=config.corpora)
    if config.fetch is None or not fetched:
        yield located, {}
        return
    roots = sources.to_fetch(fetched, config.root, among=config.corpora)
    with services.stocked(roots, config.fetch, progress.note) as stocks:
        afar = [Source(one, roots[one.name], listing=stocks[one.name].listing) for one in fetched]
        order = [one.name for one in config.corpora]
        yield sorted([*located, *afar], key=lambda one: order.index(one.corpus.name)), stocks


@contextmanager
def arriving(
    config: BuildConfig,
    tasks: Sequence[Task],
    done: Mapping[Key, Done],
    stocks: Mapping[str, Stock],
) -> Iterator[Arrivals | None]:
    """Yield the feed of the recordings to draw as they are fetched; None if all are on disk.

    Raises
    ------
    BuildError
        If the disk can't hold the recordings that are there at the same time.
    """
    if config.fetch is None or not stocks:
        yield None
        return
    ahead = 2 * config.workers + config.fetch.connections
    sizes = [
        stock.n_bytes(task.recording.own)
        for task in tasks
        if (stock := stocks.get(task.recording.corpus))
    ]
    for stock in stocks.values():
        services.require_space(stock.listing.root, sum(sorted(sizes)[-ahead:]))
    keys = {task.key for task in tasks}
    used = {one.facts["signal"]: key[1] for key, one in done.items() if key not in keys}

    def accept(task: Task) -> None:
        if task.identity:
            refuse_other_signal(config.pinned, task.recording, task.identity.signal)
            refuse_used_signal(used, task.recording, task.identity.signal)

    arrivals = Arrivals(tasks, stocks, accept, connections=config.fetch.connections, ahead=ahead)
    try:
        yield arrivals
    finally:
        arrivals.close()
        for corpus in arrivals.changed:
            services.forget(stocks[corpus].listing.root)
