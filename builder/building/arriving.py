"""Arriving: the recordings of a build as they are fetched, each refused if it is not the one expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from psgimg.builder.access import supply
from psgimg.builder.access.arrivals import Arrivals
from psgimg.builder.access.stock import Stock
from psgimg.builder.building import outcomes
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.building.refusals import refuse_other_signal, refuse_used_signal
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Task


@contextmanager
def tasks(
    config: BuildConfig,
    planned: Sequence[Task],
    done: Mapping[Key, Done],
    stocks: Mapping[str, Stock],
    progress: Progress,
) -> Iterator[Arrivals[Task, Failed] | None]:
    """Yield the feed of the recordings of a build; see ``supply.arriving``.

    Parameters
    ----------
    done
        What is finished; a recording with the signal of one that is no longer on disk is refused.
    """
    keys = {task.key for task in planned}
    used = {one.facts["signal"]: key[1] for key, one in done.items() if key not in keys}

    def bring(task: Task, stock: Stock) -> Task:
        if task.identity is not None and not stock.is_remote(task.recording.own):
            stock.require_listed(task.identity)
            return task
        identity = stock.bring(task.recording.own)
        refuse_other_signal(config.pinned, task.recording, identity.signal)
        refuse_used_signal(used, task.recording, identity.signal)
        return replace(task, identity=identity)

    with supply.arriving(
        planned, stocks, bring, outcomes.failed, config.fetch, config.workers, progress
    ) as arrivals:
        yield arrivals
