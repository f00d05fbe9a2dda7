"""Dask engine: the workers of a Dask cluster do the tasks of a build. Results that matter are files."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from psgimg.builder.engines import attempt
from psgimg.builder.engines.attempt import Died, Site
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.files import durable
from psgimg.builder.processes.pool import Feed, Listed, Ready

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 1000
"""Most tasks that the scheduler knows at a time."""

RETRIES = 10
"""How often a task is given to the scheduler again while workers die before they begin it."""

POLL_S = 0.05


@dataclass
class _Given(Generic[T]):
    """A task that the scheduler has."""

    number: int
    task: T
    times: int = 1


@dataclass(frozen=True)
class DaskEngine:
    """The engine of a Dask cluster; see ``pool.Engine``.

    Parameters
    ----------
    folder
        Folder that this machine and the workers share; marks of tasks in progress are put there.
    state
        Returns the versions that must be the same on every worker.
    """

    client: Client
    folder: Path
    state: Callable[[], Any]

    def __call__(
        self,
        work: Callable[[T], R],
        tasks: Sequence[T] | Feed[T, R],
        *,
        crashed: Callable[[T], R],
    ) -> Iterator[R]:
        """Yield the results of ``work(task)`` in the order in which they are ready.

        A task during which two workers have died yields ``crashed(task)``.

        Raises
        ------
        BuildError
            If the scheduler is lost, or a worker is no good for this command.
        """
        marks = self.folder / uuid.uuid4().hex
        durable.make_folder(marks)
        site = Site(marks, self.state, self.state())
        feed: Feed[T, R] = Listed(tasks) if isinstance(tasks, Sequence) else tasks
        run = _Run(self.client, work, crashed, site)
        try:
            yield from run.results(feed)
        finally:
            with suppress(Exception):  # the scheduler may be gone
                self.client.cancel(list(run.given))
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class _Run(Generic[T, R]):
    """One run of an engine."""

    client: Client
    work: Callable[[T], R]
    crashed: Callable[[T], R]
    site: Site
    given: dict[Future, _Given[T]] = field(default_factory=dict)
    n_given: int = 0

    def results(self, feed: Feed[T, R]) -> Iterator[R]:
        """Yield the results of all tasks as they come."""
        from distributed import as_completed

        ready = as_completed(loop=self.client.loop)
        while feed or self.given:
            while feed and len(self.given) < AHEAD:
                taken = feed.take(wait=not self.given)
                if taken is None:
                    break
                if isinstance(taken, Ready):
                    yield taken.value
                    continue
                self.n_given += 1
                ready.add(self._give(_Given(self.n_given, taken)))
            if not self.given:
                continue
            for future in ready.next_batch(block=not feed):
                one = self.given.pop(future)
                result = self._result(future, one)
                if isinstance(result, Ready):
                    yield result.value
                else:
                    ready.add(self._give(one))
            if feed:
                time.sleep(POLL_S)

    def _give(self, one: _Given[T]) -> Future:
        future = self.client.submit(
            attempt.attempt, self.work, one.task, one.number, self.site, pure=False
        )
        self.given[future] = one
        return future

    def _result(self, future: Future, one: _Given[T]) -> Ready[R] | None:
        """Return the result of a task, or None if it must be given once more."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            result: R | Died = future.result()
        except KilledWorker as error:
            if self.site.deaths(one.number) >= attempt.DEATHS:
                return Ready(self.crashed(one.task))
            if one.times == RETRIES:
                raise BuildError(
                    "--cluster: its workers die before they have begun a recording; look at their logs"
                ) from error
            one.times += 1
            return None
        except FutureCancelledError as error:
            raise BuildError(
                "--cluster: the scheduler was lost or restarted; run the same command again: finished "
                "recordings are kept"
            ) from error
        except PsgimgError:
            raise
        except Exception as error:
            raise BuildError(
                f"--cluster: a worker can't run psgimg ({type(error).__name__}: {error}); install the same "
                "psgimg and libraries there"
            ) from error
        return Ready(self.crashed(one.task) if isinstance(result, Died) else result)
