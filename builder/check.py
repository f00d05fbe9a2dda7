"""Check: which recordings a build would draw or set aside, from headers and scorings alone.

With ``signal``, the samples are read as well, so that the verdict and the quality are the build's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psgimg.builder import night
from psgimg.builder.access import supply
from psgimg.builder.access.stock import Stock
from psgimg.builder.building import arriving, outcomes
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.corpora.presence import Presence
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset import public_names
from psgimg.builder.dataset.build_json import PlanFacts, PlannedRecording
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Key
from psgimg.builder.processes.pool import Processes
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Task, make_tasks


@dataclass(frozen=True)
class Checked:
    """A recording that a build would draw."""

    facts: PlanFacts

    @property
    def key(self) -> Key:
        """Corpus and recording."""
        return self.facts["corpus"], self.facts["recording"]


def check(
    config: BuildConfig, progress: Progress, *, signal: bool = False
) -> tuple[list[PlannedRecording], list[SetAside]]:
    """Return the facts and split of each recording that a build would draw, and those set aside.

    Parameters
    ----------
    signal
        Whether to read the samples, in ``config.workers`` processes, for the quality of the lanes.

    Raises
    ------
    BuildError
        If a corpus is not there, or vanishes meanwhile.
    """
    opened = supply.opened(config.corpora, config.root, config.fetch, progress)
    with opened as (found, stocks):
        return _checked(config, found, stocks, progress, signal=signal)


def _checked(
    config: BuildConfig,
    found: Sequence[Source],
    stocks: Mapping[str, Stock],
    progress: Progress,
    *,
    signal: bool,
) -> tuple[list[PlannedRecording], list[SetAside]]:
    located, names = public_names.assign(found, config.out, (), config.listed_subjects, save=False)
    policy = config.split_policy(names)
    planned = make_tasks(config, located, policy, stocks=stocks)
    tasks, set_aside = planned.tasks, planned.set_aside
    facts: list[PlannedRecording] = []
    progress.start("reading signals" if signal else "checking", len(tasks), "recordings")
    work, workers = (_inspect, config.workers) if signal else (_plan, 1)
    with arriving.tasks(config, tasks, {}, stocks, progress) as arrivals:
        for outcome in outcomes.run(work, tasks, Processes(workers), Presence(located), arrivals):
            progress.advance()
            if arrivals:
                arrivals.used(outcome.key)
            if isinstance(outcome, Failed):
                set_aside.append(outcome.entry)
                continue
            checked = outcome.facts
            split = planned.placed.get((checked["corpus"], checked["subject"]))
            facts.append({**checked, "split": split})
    place = {task.key: i for i, task in enumerate(tasks)}
    facts.sort(key=lambda fact: place[fact["corpus"], fact["recording"]])  # of parallel workers
    return facts, sorted(set_aside) if signal else set_aside


def _plan(task: Task) -> Checked | Failed:
    try:
        return Checked(night.facts(night.plan(task.corpus, task.recording, task.spec)))
    except Exception as error:  # as in a build, the others continue
        return outcomes.failed(task, error)


def _inspect(task: Task) -> Checked | Failed:
    """Read a recording as a build does; runs in a worker process."""
    try:
        plan = night.plan(task.corpus, task.recording, task.spec)
        return Checked(night.inspect(plan, task.spec))
    except Exception as error:  # as in a build, the others continue
        return outcomes.failed(task, error)
