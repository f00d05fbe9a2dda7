"""Build: turn corpora on disk into a dataset that ``load_dataset`` opens. The main path.

One machine builds it, or a cluster, or the tasks of a job array, each a part, that are then joined.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from psgimg.builder import night
from psgimg.builder.access import supply
from psgimg.builder.building import (
    arriving,
    changes,
    expected_size,
    folder,
    joining,
    outcomes,
    part_record,
    planning,
    publishing,
)
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.building.planning import Plan
from psgimg.builder.dataset import own_files, shards
from psgimg.builder.dataset.build_json import RecordingFacts
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.engines import dask_cluster
from psgimg.builder.engines.dask_engine import DaskEngine
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.builder.processes import termination
from psgimg.builder.processes.pool import Engine, Processes
from psgimg.builder.progress import Progress
from psgimg.builder.recordings import fingerprint
from psgimg.builder.tasks import Task

TO_BE_CONTINUED = 75
"""Exit status of a part that a signal has asked to end early: the same command goes on."""

Expect = Callable[[int, int], None]
"""Told the recordings that a dataset will have and its expected size in bytes; may refuse it."""


def accept(n_recordings: int, n_bytes: int) -> None:
    """Accept any size."""


@dataclass(frozen=True)
class Drawn:
    """A recording that was drawn and written as a part."""

    key: Key
    n_pictures: int


@dataclass(frozen=True)
class PartDone:
    """A finished part of a build: its number of recordings, and those set aside."""

    part: Part
    n_recordings: int
    set_aside: list[SetAside]


def build(
    config: BuildConfig,
    progress: Progress,
    expect: Expect = accept,
    engine: Engine | None = None,
) -> Report:
    """Build a dataset, or resume or extend one; finished recordings are kept.

    Parameters
    ----------
    expect
        Called before the first page is drawn.
    engine
        What draws the recordings; by default ``config.workers`` processes of this machine.

    Raises
    ------
    BuildError
        If the build can't continue. Finished recordings are kept, and running the same command
        again resumes the build.
    """
    own_files.refuse_foreign(config.out, publishing.beside())
    opened = supply.opened(
        config.corpora, config.root, config.fetch, progress, absolute=engine is not None
    )
    with folder.alone(config.out), opened as (found, stocks):
        plan = planning.plan(config, found, stocks, progress)
        refused = _draw_new(plan, engine or Processes(config.workers), progress, expect)
        set_aside = [*plan.planned.set_aside, *refused]
        plan.withdraw(set_aside, refused)
        return publishing.publish(plan, set_aside)


def build_on(
    cluster: str, config: BuildConfig, progress: Progress, expect: Expect = accept
) -> Report:
    """Build a dataset as ``build`` does, on a Dask cluster.

    Parameters
    ----------
    cluster
        Address or file of its scheduler, or a YAML file that starts one; see ``dask_cluster.opened``.
    """
    config = replace(config, out=config.out.absolute())
    with dask_cluster.opened(cluster, progress.note) as client:
        marks = config.out / shards.STATE / "begun"
        engine = DaskEngine(client, marks, part_record.versions)
        return build(config, progress, expect, engine)


def build_part(config: BuildConfig, progress: Progress) -> PartDone:
    """Draw the recordings of one part of a build, ``config.part``, for ``join`` to finish.

    Parts run at the same time in one folder, or each in its own. SIGUSR1 ends one when the
    recordings in progress are finished.

    Raises
    ------
    BuildError
        As for ``build``, and after SIGUSR1.
    """
    own_files.refuse_foreign(config.out, publishing.beside())
    opened = supply.opened(config.corpora, config.root, config.fetch, progress)
    with (
        termination.requested() as ended,
        folder.among_parts(config.out),
        opened as (found, stocks),
    ):
        plan = planning.plan(config, found, stocks, progress)
        refused = _draw_new(plan, Processes(config.workers, ended), progress)
        if ended():
            raise BuildError(
                f"--part {config.part} ended early as SIGUSR1 asked; run the same command again to go on",
                TO_BE_CONTINUED,
            )
        plan.withdraw(refused, refused)
        common = part_record.basis(config, plan.planned.recordings)
        part_record.write(config.out, config.part, common, refused)
        return PartDone(config.part, len(plan.planned.tasks) - len(refused), refused)


def join(
    config: BuildConfig, folders: Sequence[Path], progress: Progress, expect: Expect = accept
) -> Report:
    """Finish the dataset of which all parts are drawn; its bytes are those of ``build``.

    Parameters
    ----------
    folders
        Where parts were drawn, besides ``config.out``.

    Raises
    ------
    BuildError
        If a part has not finished, or is of another build.
    """
    own_files.refuse_foreign(config.out, publishing.beside())
    opened = supply.opened(config.corpora, config.root, config.fetch, progress)
    with folder.alone(config.out, joins=True), opened as (found, stocks):
        plan = planning.plan(config, found, stocks, progress)
        done, refused = joining.gather(plan, folders, progress)
        _announce(plan, done, done.keys(), expect)
        set_aside = [*plan.planned.set_aside, *refused]
        plan.withdraw(set_aside, refused)
        return publishing.publish(plan, set_aside)


def draw(task: Task) -> Drawn | Failed:
    """Draw one recording and write it as a part; runs in a worker process.

    The files are hashed first, so that they are drawn from memory, and compared once more at the
    end: pictures are never stored under the hash of other files.
    """
    recording = task.recording
    try:
        identity = task.identity or fingerprint.identify(recording)
        plan = night.plan(task.corpus, recording, task.spec)
        rows, facts = night.draw(plan, task.spec)
        fingerprint.require_unchanged(identity)
    except Exception as error:  # a bug that affects one night must not stop the others
        return outcomes.failed(task, error)
    recorded = RecordingFacts(**facts, signal=identity.signal, fingerprint=identity.fingerprint)
    shards.write_part(task.out, rows, recorded)
    return Drawn(task.key, len(rows))


def _announce(
    plan: Plan, done: Mapping[Key, Done], wanted: Collection[Key], expect: Expect
) -> None:
    """Tell the expected size of a dataset, given what of it is finished."""
    style = plan.config.page_spec().recipe.style
    expect(len(wanted), expected_size.n_bytes(len(wanted), done.values(), style))


def _draw_new(
    plan: Plan, engine: Engine, progress: Progress, expect: Expect = accept
) -> list[SetAside]:
    """Draw the recordings that are new or have changed, and return those that can't be used."""
    todo, set_aside = changes.to_draw(plan, engine, progress)
    _announce(plan, plan.done, {*plan.done, *(task.key for task in todo)}, expect)
    progress.start("drawing", len(todo), "recordings")
    with arriving.tasks(plan.config, todo, plan.done, plan.stocks, progress) as arrivals:
        for outcome in outcomes.run(draw, todo, engine, plan.presence, arrivals):
            if isinstance(outcome, Failed):
                set_aside.append(outcome.entry)
            if arrivals:
                arrivals.used(outcome.key)
            progress.advance(1, outcome.n_pictures)
    return set_aside
