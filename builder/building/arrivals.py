"""Arrivals: recordings that are fetched while others are drawn, a bounded number ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from psgimg.builder.access.remote_file import DAMAGED, UNREACHABLE, WITHDRAWN
from psgimg.builder.access.stock import Stock
from psgimg.builder.building import outcomes
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.dataset.shards import Key
from psgimg.builder.errors import RecordingError
from psgimg.builder.processes.pool import Ready
from psgimg.builder.tasks import Task

CHANGED = (DAMAGED, WITHDRAWN)
"""Reasons that may mean that a server's list has changed."""

MANY = 5
"""Recordings one after another whose server does not answer: further ones are not asked for."""


class Arrivals:
    """The tasks of a build whose recordings come from servers, a feed of ``pool.run``.

    Recordings are fetched in order by some threads. No more than ``ahead`` of them are on disk and
    not yet drawn, which bounds the space they take.

    Parameters
    ----------
    stocks
        Corpus → its files; the recordings of other corpora are on disk.
    accept
        Called with a recording that has come, to refuse it by its hashes with a RecordingError.
    connections
        Recordings that are fetched at the same time.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        stocks: Mapping[str, Stock],
        accept: Callable[[Task], None],
        *,
        connections: int,
        ahead: int,
    ) -> None:
        self._waiting = deque(tasks)
        self._stocks, self._accept = stocks, accept
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="fetch")
        self._coming: dict[Future[Task], Task] = {}
        self._here: dict[Key, Task] = {}
        self._ahead, self._lost = ahead, 0
        self.changed: set[str] = set()
        """Corpora whose list on the server may have changed."""

    def __bool__(self) -> bool:
        return bool(self._waiting or self._coming)

    def take(self, *, wait: bool) -> Task | Ready[Failed] | None:
        """Return the next recording that has come, or that can't be had; see ``pool.Feed``."""
        self._ask()
        done = self._done(None if wait else 0)
        if done is None:
            return None
        task = self._coming.pop(done)
        try:
            come = done.result()
        except RecordingError as error:
            self._lost = self._lost + 1 if error.reason == UNREACHABLE else 0
            if error.reason in CHANGED:
                self.changed.add(task.recording.corpus)
            return Ready(outcomes.failed(task, error))
        self._lost = 0
        return come

    def drawn(self, key: Key) -> None:
        """Report that a recording is drawn or was refused, so that its files can go."""
        task = self._here.pop(key)
        if stock := self._stocks.get(task.recording.corpus):
            stock.release(task.recording.own)

    def close(self) -> None:
        """Fetch nothing further, and delete what has come but was not drawn."""
        self._waiting.clear()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for key in list(self._here):
            self.drawn(key)

    def _ask(self) -> None:
        """Ask for further recordings as long as there is room for them."""
        while self._waiting and len(self._here) < self._ahead:
            task = self._waiting.popleft()
            self._here[task.key] = task
            self._coming[self._threads.submit(self._bring, task)] = task

    def _bring(self, task: Task) -> Task:
        stock = self._stocks.get(task.recording.corpus)
        if stock is None or not stock.is_remote(task.recording.own):
            return task
        if self._lost >= MANY:
            raise RecordingError(
                UNREACHABLE,
                f"{task.recording.recording} was not asked for, as the server no longer answers; "
                "run the same command again later",
            )
        come = replace(task, identity=stock.bring(task.recording.own))
        self._accept(come)
        return come

    def _done(self, timeout_s: float | None) -> Future[Task] | None:
        done, _ = wait(self._coming, timeout_s, FIRST_COMPLETED)
        return next((future for future in self._coming if future in done), None)
