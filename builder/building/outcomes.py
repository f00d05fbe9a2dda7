"""Outcomes: what becomes of each recording that a worker reads or draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from psgimg.builder.corpora.presence import Presence, system_error
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.shards import Key
from psgimg.builder.processes.pool import Engine, Feed
from psgimg.builder.tasks import Task


class Outcome(Protocol):
    """The result of a recording that could be used."""

    @property
    def key(self) -> Key:
        """Corpus and recording."""


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


@dataclass(frozen=True)
class Failed:
    """A recording that could not be read or drawn.

    ``error`` is the ``errno`` of the system error behind it, if there was one.
    """

    entry: SetAside
    error: int | None
    n_pictures: ClassVar[int] = 0

    @property
    def key(self) -> Key:
        """Corpus and recording."""
        return self.entry.key


def failed(task: Task, error: Exception) -> Failed:
    """Return the outcome of a recording that caused an error."""
    return Failed(build_report.set_aside_for(task.recording, error), system_error(error))


def run(
    work: Callable[[Task], OutcomeT | Failed],
    tasks: Sequence[Task],
    engine: Engine,
    presence: Presence,
    feed: Feed[Task, Failed] | None = None,
) -> Iterator[OutcomeT | Failed]:
    """Yield the outcome of each task as soon as it is known.

    Parameters
    ----------
    feed
        The same tasks as their files arrive, if they are fetched.

    Raises
    ------
    BuildError
        If a corpus is no longer there.
    """
    recordings = {task.key: task.recording for task in tasks}
    source: Sequence[Task] | Feed[Task, OutcomeT | Failed] = feed or tasks
    for outcome in engine(work, source, crashed=_crashed):
        if isinstance(outcome, Failed):
            presence.failed(recordings[outcome.key], outcome.error)
        else:
            presence.readable(recordings[outcome.key])
        yield outcome
    presence.close()


def _crashed(task: Task) -> Failed:
    detail = f"{task.recording.signal.name} crashed its worker process twice; try more memory or --workers 1"
    return Failed(SetAside(*task.key, "worker died", detail), None)
