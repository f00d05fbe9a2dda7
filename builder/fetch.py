"""Fetch: bring recordings of corpora to disk, to be built from later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.access import services
from psgimg.builder.access.arrivals import CHANGED
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.access.stock import Stock
from psgimg.builder.corpora import registry, sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.recording import Recording


@dataclass(frozen=True)
class Brought:
    """What is on disk now.

    Parameters
    ----------
    folders
        Folder of each corpus.
    n_recordings, n_bytes
        Number of recordings that are there, and the bytes that came for them.
    lost
        Recording → why it could not be had.
    """

    folders: Mapping[str, Path]
    n_recordings: int
    n_bytes: int
    lost: Mapping[str, str]


def fetch(
    source: tuple[str, ...],
    root: tuple[str, ...],
    subjects: tuple[str, ...],
    limit: int,
    config: FetchConfig,
    progress: Progress,
) -> Brought:
    """Bring recordings to the folders of their corpora; what is there already stays.

    Raises
    ------
    BuildError
        If a corpus or a subject is unknown, a corpus can't be fetched, or the disk can't hold it.
    """
    if not source:
        raise BuildError("no --source; `psgimg sources` lists the corpora that can be fetched")
    corpora = registry.corpora(source)
    roots = sources.to_fetch(corpora, root, among=corpora)
    lost: dict[str, str] = {}
    with services.stocked(roots, config, progress.note) as stocks:
        located = [
            Source(one, roots[one.name], listing=stocks[one.name].listing) for one in corpora
        ]
        chosen = sources.chosen(located, subjects, limit)
        wanted = [(stocks[source.corpus.name], recording) for source, recording in chosen]
        sizes = {recording.key: stock.n_bytes(recording) for stock, recording in wanted}
        needed = dict.fromkeys(roots.values(), 0)
        for _, recording in wanted:
            needed[roots[recording.corpus]] += sizes[recording.key]
        services.require_space(needed, "choose some --subjects")
        progress.start("fetching", len(wanted), "recordings")
        for recording, error in _brought(wanted, config.connections):
            progress.advance()
            if error:
                sizes[recording.key] = 0
                lost[recording.recording] = error.detail
                if error.reason in CHANGED:
                    services.forget(recording.corpus, roots[recording.corpus])
    return Brought(roots, len(wanted) - len(lost), sum(sizes.values()), dict(sorted(lost.items())))


def _brought(
    wanted: Sequence[tuple[Stock, Recording]], connections: int
) -> Iterator[tuple[Recording, RecordingError | None]]:
    """Yield each recording as it comes, with the error if it could not be had."""
    with ThreadPoolExecutor(connections, thread_name_prefix="fetch") as threads:
        coming = {threads.submit(stock.bring, one): one for stock, one in wanted}
        try:
            for future in as_completed(coming):
                try:
                    future.result()
                except RecordingError as error:
                    yield coming[future], error
                else:
                    yield coming[future], None
        except BaseException:
            for stock, _ in wanted:
                stock.stop()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
