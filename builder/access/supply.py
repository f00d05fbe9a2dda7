"""Supply: where the recordings of a command come from, folders on disk and servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from psgimg.builder.access import services
from psgimg.builder.access.arrivals import Arrivals, JobT, R
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.access.stock import Stock
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.errors import RecordingError
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.formats import packages
from psgimg.builder.recordings.recording import Corpus
from psgimg.builder.words import counted, size


@contextmanager
def opened(
    corpora: Sequence[Corpus],
    roots: Sequence[str],
    fetch: FetchConfig | None,
    progress: Progress,
    *,
    absolute: bool = False,
) -> Iterator[tuple[list[Source], dict[str, Stock]]]:
    """Yield the sources of some corpora, and the stock of each corpus that is fetched.

    Parameters
    ----------
    roots
        Folders, as for ``--root``.
    fetch
        How recordings that are not on disk are fetched; None if all are.
    absolute
        Whether paths are to be absolute, as other machines need them.

    Raises
    ------
    BuildError
        If a corpus is not found, can't be fetched, or needs a package that is not installed.
    """
    for corpus in corpora:
        packages.require(corpus.package, corpus.name)
    fetched = [one for one in corpora if fetch is not None and services.can_fetch(one.name)]
    present = [one for one in corpora if one not in fetched]
    hints = {one.name: _hint(one.name, fetch) for one in present}
    located = sources.locate(present, roots, corpora, hints, progress)
    if absolute:
        located = [replace(one, root=one.root.absolute()) for one in located]
    if fetch is None or not fetched:
        yield located, {}
        return
    folders = sources.to_fetch(fetched, roots, among=corpora)
    if absolute:
        folders = {name: root.absolute() for name, root in folders.items()}
    with services.stocked(folders, fetch, progress.note) as stocks:
        remote = [
            Source(one, folders[one.name], listing=stocks[one.name].listing) for one in fetched
        ]
        order = [one.name for one in corpora]
        yield sorted([*located, *remote], key=lambda one: order.index(one.corpus.name)), stocks


def _hint(corpus: str, fetch: FetchConfig | None) -> str:
    """Return what to know of fetching a corpus that is not on disk, as the rest of a sentence."""
    if fetch is None:
        return ", or let --fetch download it" if services.can_fetch(corpus) else ""
    return "; --fetch can't download it"


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
    needed: dict[Path, int] = {}
    notes = []
    for corpus, stock in stocks.items():
        own = [job.recording.own for job in jobs if job.recording.corpus == corpus]
        sizes = sorted(filter(None, map(stock.n_bytes, own)))
        at_once = sum(sizes if fetch.keep else sizes[-ahead:])
        root = stock.listing.root
        needed[root] = needed.get(root, 0) + at_once
        if sizes:
            notes.append(
                f"to fetch: {counted(len(sizes), 'recording')} of {corpus}, {size(sum(sizes))}; at most "
                f"{size(at_once)} of them are in {root} at the same time"
            )
    services.require_space(needed, "leave out --keep" if fetch.keep else "give fewer --workers")
    for note in notes:
        progress.note(note)
