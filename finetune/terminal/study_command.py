"""The command `psgimg study`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import OUT, PATH
from psgimg.builder.placing import parts
from psgimg.builder.placing.parts import Part


@click.command()
@click.argument("file", metavar="STUDY.yaml", type=PATH)
@click.option(
    "--out",
    type=OUT,
    help="Output folder [default: study-STUDY].",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the cells and their commands without running them."
)
@click.option(
    "--part",
    type=parts.parse,
    default=str(parts.ALL),
    metavar="I/N",
    help="Run every N-th cell, starting with the I-th, for an array of jobs.",
)
@click.option(
    "--claim",
    multiple=True,
    metavar="NAME",
    help="Run only the cells that test this claim, and those they are compared with; may be repeated.",
)
def study(file: Path, out: Path | None, dry_run: bool, part: Part, claim: tuple[str, ...]) -> None:
    """Build, train, predict and evaluate over a grid of factors; tabulate with intervals.

    STUDY.yaml names the factors (style, corpus, train-subjects, seed …) and their values; see
    docs/studies. Steps shared by several cells run once. Rerun the command to resume after an
    interruption and to retry failed cells. The results are in report.md in the output folder.
    """
    from psgimg.builder.console import ProgressBar, open_console
    from psgimg.finetune.study import study as main_path
    from psgimg.finetune.terminal import show_study

    config = main_path.StudyConfig(file, out or Path(f"study-{file.stem}"), part, claim)
    console = open_console()
    if dry_run:
        show_study.show_plan(console, main_path.planned(config), config.out)
        return
    with ProgressBar(console) as progress:
        values = main_path.study(config, progress)
    show_study.show_study(console, values, config.out)
    _fail_if_set_aside(values, claim)


def _fail_if_set_aside(values: dict[str, Any], wanted: tuple[str, ...]) -> None:
    """Exit with 1 if a cell or the explanation failed; with ``--claim``, one of these claims."""

    def belongs(claims: list[str]) -> bool:
        return not (wanted and claims) or bool(set(wanted) & set(claims))

    cells = [cell for cell in values["cells"] if belongs(cell["claims"])]
    if n := [cell["state"] for cell in cells].count("failed"):
        raise click.ClickException(f"{n} of {len(cells)} cells set aside; run again to retry them")
    explained = [cell["explanation"] for cell in cells if "explanation" in cell]
    if any(one["state"] == "failed" and belongs(one["claims"]) for one in explained):
        raise click.ClickException("the explanation failed; run again to retry it")
