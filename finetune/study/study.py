"""Study: from a grid of factors to a table with intervals, by psgimg commands. The main path."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.placing.parts import ALL, Part
from psgimg.builder.processes import lock
from psgimg.builder.progress import Progress
from psgimg.finetune import hub
from psgimg.finetune.models.manifest import TINY
from psgimg.finetune.study import (
    baseline_cells,
    grid,
    plan,
    runs,
    selection,
    study_report,
    table,
)
from psgimg.finetune.study.grid import Study
from psgimg.finetune.study.plan import Cell
from psgimg.finetune.study.runs import Runner


@dataclass(frozen=True)
class StudyConfig:
    """Options of `psgimg study`.

    Parameters
    ----------
    file
        Study file.
    out
        Folder of the study.
    part
        Run only the cells of this part.
    claim
        Run only the cells that test these claims, and the references; empty for all cells.
    """

    file: Path
    out: Path
    part: Part = ALL
    claim: tuple[str, ...] = ()


def study(config: StudyConfig, progress: Progress) -> dict[str, Any]:
    """Run the unfinished steps of a study, and write its report.

    Returns
    -------
    Contents of ``study.json``, including failed cells with their reasons.

    Raises
    ------
    BuildError
        If the study file is invalid, or another process runs the study; raised before anything
        is run.
    """
    study_report.check(config.out)
    design = grid.read(config.file)
    cells = plan.plan(design)
    own = _own(design, cells, config)
    todo = _unfinished(own, config.out)
    _require_sources(todo)
    _check(design, todo, config.out)
    with alone(config):
        steps = plan.steps(own)
        n_done = sum(runs.is_done(config.out, step) for step in steps)
        for line in baseline_cells.without_effect([cell.factors for cell in own]):
            progress.note(line)
        progress.note(f"{len(steps)} commands, {n_done} of them done")
        progress.start("running", len(steps) - n_done, "commands")
        Runner(config.out, progress).run(_unfinished(own, config.out))
        values = table.collect(design, cells, config.out)
        study_report.write(config.out, values)
    return values


def _unfinished(cells: Sequence[Cell], out: Path) -> list[Cell]:
    return [cell for cell in cells if not all(runs.is_done(out, goal) for goal in cell.goals)]


def _own(design: Study, cells: Sequence[Cell], config: StudyConfig) -> Sequence[Cell]:
    """Return the cells that the options choose; the report is of all."""
    chosen = selection.of_claims(design.path, cells, config.claim)
    return config.part.every_nth(chosen)


@contextmanager
def alone(config: StudyConfig) -> Iterator[None]:
    """Refuse the second of two studies in a folder, unless each runs other parts or claims."""
    part = config.part
    own = "-".join((f"part-{part.number}-of-{part.n_parts}", *sorted(config.claim)))
    refusal = (
        f"another psgimg study is running in {config.out}; wait for it or choose another --out"
    )
    folder = config.out / runs.STEPS
    with (
        lock.held(folder / "study.lock", refusal, shared=part.n_parts > 1 or bool(config.claim)),
        lock.held(folder / f"{own}.lock", refusal),
    ):
        yield


def planned(config: StudyConfig) -> Sequence[Cell]:
    """Return the cells that would be run, with the validation of :func:`study`; runs nothing."""
    design = grid.read(config.file)
    cells = _own(design, plan.plan(design), config)
    _check(design, cells, config.out)
    return cells


def _require_sources(cells: Sequence[Cell]) -> None:
    """Refuse a model or dataset that is neither a folder nor on the Hub, before anything is run."""
    for step in plan.steps(cells):
        if "--endpoint" in step.words:  # its model is on a server
            continue
        for option, value in itertools.pairwise(step.words):
            own = value == TINY or value.startswith("@/")
            if option in ("--model", "--dataset", "--on") and not own:
                hub.require(value, "model" if option == "--model" else "dataset")


def _check(design: Study, cells: Sequence[Cell], out: Path) -> None:
    """Check the options of unfinished trainings, which takes seconds, as TRL is imported."""
    plan.check(design, [c for c in cells if not runs.is_done(out, c.training or c.prediction)])
