"""Changes: which recordings of a build are new, or have changed since they were drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from psgimg.builder.access.stock import Stock
from psgimg.builder.building import outcomes
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.building.planning import Plan
from psgimg.builder.building.refusals import refuse_other_signal, refuse_used_signal
from psgimg.builder.corpora.presence import Presence
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import RecordingError
from psgimg.builder.processes.pool import Engine
from psgimg.builder.progress import Progress
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.fingerprint import Identity
from psgimg.builder.tasks import Task


@dataclass(frozen=True)
class Identified:
    """A recording whose files were read to identify them."""

    key: Key
    identity: Identity


def to_draw(plan: Plan, engine: Engine, progress: Progress) -> tuple[list[Task], list[SetAside]]:
    """Return the recordings that are new or have changed since they were drawn, and those set aside.

    A finished recording that can't be read at present is kept, as its pictures are still right; so is
    one that was fetched, unless its server shows that it has changed.
    """
    config, tasks, done, stocks = plan.config, plan.planned.tasks, plan.done, plan.stocks
    remote = {task.key for task in tasks if _is_remote(task, stocks)}
    unknown = [task for task in _unknown(config, tasks, done) if task.key not in remote]
    known, failed = _identified(unknown, engine, plan.presence, progress)
    keys = {task.key for task in tasks}
    used = {one.facts["signal"]: key[1] for key, one in done.items() if key not in keys}
    todo, set_aside = [], []
    for task in tasks:
        kept = done.get(task.key)
        identity = task.identity or known.get(task.key)
        if failure := failed.get(task.key):
            if kept is None or failure.error is None:
                set_aside.append(failure.entry)
        elif identity is None:
            if (
                kept is None
                or task.key not in remote
                or _is_redrawn(kept, task)
                or _has_other_version(task, stocks)
            ):
                todo.append(task)
        elif kept is None or has_changed(kept, task, identity):
            try:
                refuse_other_signal(config.pinned, task.recording, identity.signal)
                refuse_used_signal(used, task.recording, identity.signal)
                todo.append(replace(task, identity=identity))
            except RecordingError as error:
                if kept is None or config.pinned is None:
                    set_aside.append(build_report.set_aside_for(task.recording, error))
    if n_sampled := sum(
        fingerprint.is_sampled(done[task.key].facts["signal"]) for task in todo if task.key in done
    ):
        progress.note(
            f"{n_sampled} recordings were built by an earlier psgimg, which hashed samples of their "
            "files; they are drawn again"
        )
    if n_kept := len(tasks) - len(todo) - len(set_aside):
        progress.note(f"{n_kept} recordings from an earlier run are kept")
    return todo, set_aside


def has_changed(kept: Done, task: Task, identity: Identity) -> bool:
    """Return whether files of a recording have changed, or what its subject is: family, or split.

    Of the splits, only training pages have variants.
    """
    return _is_redrawn(kept, task) or (kept.facts["fingerprint"], kept.facts["kin"]) != (
        identity.fingerprint,
        task.recording.split_key,
    )


def _is_redrawn(kept: Done, task: Task) -> bool:
    """Return whether a recording lacks variants, or has some that it may not have."""
    return kept.facts.get("variants", 0) != len(task.spec.variants)


def _is_remote(task: Task, stocks: Mapping[str, Stock]) -> bool:
    """Return whether a recording must be fetched to be read."""
    stock = stocks.get(task.recording.corpus)
    return stock is not None and stock.is_remote(task.recording.own)


def _has_other_version(task: Task, stocks: Mapping[str, Stock]) -> bool:
    """Return whether the server lists another version of a recording than was fetched before."""
    stock = stocks.get(task.recording.corpus)
    return stock is not None and stock.has_changed(task.recording.own)


def _unknown(config: BuildConfig, tasks: Sequence[Task], done: Mapping[Key, Done]) -> list[Task]:
    """Return the tasks whose files must be read to know whether they are to be drawn."""
    compared = {key for key, one in done.items() if not fingerprint.is_sampled(one.facts["signal"])}
    return [
        task
        for task in tasks
        if task.identity is None and (config.pinned is not None or task.key in compared)
    ]


def _identified(
    tasks: Sequence[Task], engine: Engine, presence: Presence, progress: Progress
) -> tuple[dict[Key, Identity], dict[Key, Failed]]:
    """Read the files of some recordings; return their identities, and those that can't be read."""
    if tasks:
        progress.start("verifying", len(tasks), "recordings")
    known: dict[Key, Identity] = {}
    failed: dict[Key, Failed] = {}
    for outcome in outcomes.run(identify, tasks, engine, presence):
        if isinstance(outcome, Failed):
            failed[outcome.key] = outcome
        else:
            known[outcome.key] = outcome.identity
        progress.advance()
    return known, failed


def identify(task: Task) -> Identified | Failed:
    """Read the files of one recording to identify them; runs in a worker process."""
    try:
        return Identified(task.key, fingerprint.identify(task.recording))
    except Exception as error:
        return outcomes.failed(task, error)
