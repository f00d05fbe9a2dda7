"""Build: turn corpora on disk into a dataset that ``load_dataset`` opens. The main path.

One machine builds it, or a cluster, or the tasks of a job array, each a part, that are then joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from psgimg.builder.access import supply
from psgimg.builder.building import (
    arriving,
    changes,
    early_shards,
    expected_size,
    folder,
    joining,
    outcomes,
    part_record,
    planning,
    publishing,
    timings,
)
from psgimg.builder.building.one_recording import Drawn, draw
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.building.planning import Plan
from psgimg.builder.dataset import own_files, shards
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
from psgimg.builder.tasks import Task
from psgimg.builder.words import counted, size

TO_BE_CONTINUED = 75
"""Exit status of a part that a signal has asked to end early: the same command goes on."""

Expect = Callable[[int, int], None]
"""Told the recordings that a dataset will have and its expected size in bytes; may refuse it."""


def accept(n_recordings: int, n_bytes: int) -> None:
    """Accept any size."""


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
    engine = engine or Processes(config.workers)
    on_cluster = not isinstance(engine, Processes)
    opened = supply.opened(config.corpora, config.root, config.fetch, progress, absolute=on_cluster)
    with folder.alone(config.out), opened as (found, stocks):
        plan = planning.plan(config, found, stocks, progress)
        refused, hashes = _draw_new(plan, engine, progress, expect)
        set_aside = [*plan.planned.set_aside, *refused]
        plan.withdraw(set_aside, refused)
        return publishing.publish(plan, set_aside, hashes)


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
        refused, _ = _draw_new(plan, Processes(config.workers, ended), progress)
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
        _announce(plan, done, [], progress, expect)
        set_aside = [*plan.planned.set_aside, *refused]
        plan.withdraw(set_aside, refused)
        return publishing.publish(plan, set_aside)


def _announce(
    plan: Plan,
    done: Mapping[Key, Done],
    todo: Sequence[Task],
    progress: Progress,
    expect: Expect = accept,
) -> None:
    """Tell the expected size of a dataset, part of which may be finished, and the cost of variants."""
    style = plan.config.page_spec().recipe.style
    n_variants = {key: one.facts.get("variants", 0) for key, one in done.items()}
    n_variants |= {task.key: len(task.spec.variants) for task in todo}
    n_recordings, n_drawings = len(n_variants), sum(1 + n for n in n_variants.values())
    n_bytes = expected_size.n_bytes(n_drawings, done.values(), style)
    if added := [len(task.spec.variants) for task in todo if task.spec.variants]:
        progress.note(
            f"variants: {counted(added[0], 'further picture')} of each page of "
            f"{counted(len(added), 'training recording')}; drawing takes about "
            f"{1 + sum(added) / len(todo):.1f} times as long, and the dataset will have about "
            f"{size(n_bytes)} in place of {size(round(n_bytes * n_recordings / n_drawings))}"
        )
    expect(n_recordings, n_bytes)


def _draw_new(
    plan: Plan, engine: Engine, progress: Progress, expect: Expect = accept
) -> tuple[list[SetAside], Mapping[str, str]]:
    """Draw the recordings that are new or have changed.

    Returns
    -------
    set_aside, hashes
        The recordings that can't be used, and the SHA-256 of shards that are written already.
    """
    todo, set_aside = changes.to_draw(plan, engine, progress)
    _announce(plan, plan.done, todo, progress, expect)
    progress.start("drawing", len(todo), "recordings")
    log = timings.Log.of(plan.config, progress.note)
    early = early_shards.of(plan, todo if isinstance(engine, Processes) else ())
    with (
        arriving.tasks(plan.config, todo, plan.done, plan.stocks, progress) as arrivals,
        early.written(),
    ):
        outcome: Drawn | Failed
        for n_known, outcome in enumerate(
            outcomes.run(draw, early.in_order(todo), engine, plan.presence, arrivals), 1
        ):
            if isinstance(outcome, Failed):
                set_aside.append(outcome.entry)
                log.add_set_aside(outcome.entry)
            else:
                log.add(outcome.key, outcome.n_pictures, outcome.timing)
            early.known(outcome.key)
            if arrivals:
                arrivals.used(outcome.key)
            progress.advance(1, outcome.n_pictures)
            if len(todo) - n_known < plan.config.workers and plan.config.part.n_parts == 1:
                publishing.prepare()  # from now on, fewer recordings are left than processors
    return set_aside, early.hashes
