"""Check: which recordings a build would draw or set aside, from headers and scorings alone.

With ``signal``, the samples are read as well, so that the verdict and the quality are the build's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psgimg.builder import night, pool
from psgimg.builder.corpora import sources
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.build_json import PlanFacts, PlannedRecording
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Task, crashed, make_tasks


def check(
    config: BuildConfig, progress: Progress, *, signal: bool = False
) -> tuple[list[PlannedRecording], list[SetAside]]:
    """Return the facts and split of each recording that a build would draw, and those set aside.

    Parameters
    ----------
    signal
        Whether to read the samples, in ``config.workers`` processes, for the quality of the lanes.
    """
    policy = config.split_policy()
    tasks, set_aside = make_tasks(config, sources.locate(config.corpora, config.root), policy)
    facts: list[PlannedRecording] = []
    progress.start("reading signals" if signal else "checking", len(tasks), "recordings")
    for outcome in _outcomes(tasks, config.workers) if signal else map(_plan, tasks):
        progress.advance()
        if isinstance(outcome, SetAside):
            set_aside.append(outcome)
            continue
        split = policy.split(outcome["corpus"], outcome["subject"], outcome["kin"])
        facts.append({**outcome, "split": split})
    place = {(task.recording.corpus, task.recording.recording): i for i, task in enumerate(tasks)}
    facts.sort(key=lambda fact: place[fact["corpus"], fact["recording"]])  # of parallel workers
    return facts, sorted(set_aside) if signal else set_aside


def _outcomes(tasks: Sequence[Task], workers: int) -> Iterator[PlanFacts | SetAside]:
    """Yield the facts of each recording with its quality, or why it is set aside, in any order."""
    return pool.run(_inspect, tasks, workers, crashed=crashed)


def _plan(task: Task) -> PlanFacts | SetAside:
    try:
        return night.facts(night.plan(task.corpus, task.recording, task.spec))
    except Exception as error:  # as in a build, the others continue
        return build_report.set_aside_for(task.recording, error)


def _inspect(task: Task) -> PlanFacts | SetAside:
    """Read a recording as a build does; runs in a worker process."""
    try:
        plan = night.plan(task.corpus, task.recording, task.spec)
        return night.inspect(plan, task.spec)
    except Exception as error:  # as in a build, the others continue
        return build_report.set_aside_for(task.recording, error)
