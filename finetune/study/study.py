"""Study: from a grid of factors to a table with intervals, by the product's own commands. The main path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.finetune.study import grid, plan, runs, study_report, table
from psgimg.finetune.study.grid import Study
from psgimg.finetune.study.plan import Cell
from psgimg.finetune.study.runs import Runner

ALL = (1, 1)


@dataclass(frozen=True)
class StudyConfig:
    """What `psgimg study` is told.

    Parameters
    ----------
    part
        (i, n): only every n-th cell from the i-th on, counted from 1.
    """

    file: Path
    out: Path
    part: tuple[int, int] = ALL

    def __post_init__(self) -> None:
        number, n_parts = self.part
        if not 1 <= number <= n_parts:
            raise BuildError(f"--part {number}/{n_parts}: give 1/{n_parts} to {n_parts}/{n_parts}")


def study(config: StudyConfig, progress: Progress) -> dict[str, Any]:
    """Run what a study asks for and is not there yet, and write its table.

    Returns
    -------
    What ``study.json`` says. Cells that failed are among it, with their reasons.

    Raises
    ------
    BuildError
        If the file asks for what can't be, before anything is run.
    """
    asked = grid.read(config.file)
    cells = plan.plan(asked)
    own = part_of(cells, config.part)
    todo = [cell for cell in own if not runs.is_done(config.out, cell.evaluation)]
    _check(asked, todo, config.out)
    steps = plan.steps(own)
    n_done = sum(runs.is_done(config.out, step) for step in steps)
    progress.note(f"{len(steps)} commands, {n_done} of them done")
    progress.start("running", len(steps) - n_done, "commands")
    Runner(config.out, progress).run(todo)
    values = table.collect(asked, cells, config.out)
    study_report.write(config.out, values)
    return values


def planned(config: StudyConfig) -> Sequence[Cell]:
    """The cells that would be run; refuses what :func:`study` would refuse, and runs nothing."""
    asked = grid.read(config.file)
    cells = part_of(plan.plan(asked), config.part)
    _check(asked, cells, config.out)
    return cells


def _check(asked: Study, cells: Sequence[Cell], out: Path) -> None:
    """Ask TRL, which takes seconds, about the trainings that are not done yet."""
    plan.check(asked, [c for c in cells if c.training and not runs.is_done(out, c.training)])


def part_of(cells: Sequence[Cell], part: tuple[int, int]) -> Sequence[Cell]:
    """The cells of one part."""
    number, n_parts = part
    return cells[number - 1 :: n_parts]
