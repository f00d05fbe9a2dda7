"""Arrivals: recordings that are fetched while others are processed, a bounded number ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, Protocol, TypeVar

from psgimg.builder.access.remote_file import DAMAGED, WITHDRAWN
from psgimg.builder.access.stock import Stock
from psgimg.builder.errors import RecordingError
from psgimg.builder.processes.pool import Ready
from psgimg.builder.recordings.recording import Recording

CHANGED = (DAMAGED, WITHDRAWN)
"""Reasons that may mean that a server's list has changed."""


class Job(Protocol):
    """Something to do with a recording."""

    @property
    def key(self) -> Hashable:
        """What tells it from the other jobs."""

    @property
    def recording(self) -> Recording:
        """The recording whose files it needs."""


JobT = TypeVar("JobT", bound=Job)
R = TypeVar("R")


class Arrivals(Generic[JobT, R]):
    """The jobs whose recordings come from servers, a feed of ``pool.run``.

    Recordings are fetched in order by some threads. No more than ``ahead`` of them are on disk and
    not yet used, which bounds the space they take.

    Parameters
    ----------
    stocks
        Corpus → its files; the recordings of other corpora are on disk.
    bring
        Has a stock bring the recording of a job, and returns the job as it is to be done. Called in
        a thread.
    failed
        Returns the result of a job whose recording can't be had.
    connections
        Recordings that are fetched at the same time.
    """

    def __init__(
        self,
        jobs: Sequence[JobT],
        stocks: Mapping[str, Stock],
        bring: Callable[[JobT, Stock], JobT],
        failed: Callable[[JobT, RecordingError], R],
        *,
        connections: int,
        ahead: int,
    ) -> None:
        self._waiting = deque(jobs)
        self._stocks, self._bring, self._failed = stocks, bring, failed
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="fetch")
        self._coming: dict[Future[JobT], JobT] = {}
        self._here: dict[Hashable, JobT] = {}
        self._ahead = ahead
        self.changed: set[str] = set()
        """Corpora whose list on the server may have changed."""

    def __bool__(self) -> bool:
        return bool(self._waiting or self._coming)

    def take(self, *, wait: bool) -> JobT | Ready[R] | None:
        """Return the next job whose recording has come, or can't be had; see ``pool.Feed``."""
        self._ask()
        done = self._done(None if wait else 0)
        if done is None:
            return None
        job = self._coming.pop(done)
        try:
            return done.result()
        except RecordingError as error:
            if error.reason in CHANGED:
                self.changed.add(job.recording.corpus)
            return Ready(self._failed(job, error))

    def used(self, key: Hashable) -> None:
        """Report that a job is done or was refused, so that its files can go."""
        job = self._here.pop(key)
        if stock := self._stocks.get(job.recording.corpus):
            stock.release(job.recording.own)

    def close(self) -> None:
        """Fetch nothing further, and delete what has come but was not used."""
        self._waiting.clear()
        if self._coming:
            for stock in self._stocks.values():
                stock.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for key in list(self._here):
            self.used(key)

    def _ask(self) -> None:
        """Ask for further recordings as long as there is room for them."""
        while self._waiting and len(self._here) < self._ahead:
            job = self._waiting.popleft()
            self._here[job.key] = job
            stock = self._stocks.get(job.recording.corpus)
            self._coming[self._threads.submit(self._come, job, stock)] = job

    def _come(self, job: JobT, stock: Stock | None) -> JobT:
        return job if stock is None else self._bring(job, stock)

    def _done(self, timeout_s: float | None) -> Future[JobT] | None:
        done, _ = wait(self._coming, timeout_s, FIRST_COMPLETED)
        return next((future for future in self._coming if future in done), None)
