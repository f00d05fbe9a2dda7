"""The command `psgimg study`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click


def _part(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """``2/8`` → (2, 8)."""
    number, slash, n_parts = value.partition("/")
    if not (slash and number.isdecimal() and n_parts.isdecimal()):
        raise click.BadParameter(f"{value!r}: give two numbers, such as 2/8")
    return int(number), int(n_parts)


@click.command()
@click.argument("file", metavar="STUDY.yaml", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the study [default: study- and the file's name].",
)
@click.option("--dry-run", is_flag=True, help="Show cells and commands; run nothing.")
@click.option(
    "--part",
    default="1/1",
    metavar="I/N",
    callback=_part,
    help="Every N-th cell from the I-th on, for an array of jobs.",
)
def study(file: Path, out: Path | None, dry_run: bool, part: tuple[int, int]) -> None:
    """Build, teach, ask and evaluate over a grid of factors; tabulate it with intervals.

    STUDY.yaml names the factors (style, corpus, train-subjects, seed …) and their values, see
    docs/studies. What several cells share is done once. Run again, it goes on where it was
    interrupted, and tries again what failed. report.md in the folder is the result.
    """
    from psgimg.builder.console import ProgressBar, open_console
    from psgimg.finetune.study import study as main_path
    from psgimg.finetune.terminal import show_study

    config = main_path.StudyConfig(file, out or Path(f"study-{file.stem}"), part)
    console = open_console()
    if dry_run:
        show_study.show_plan(console, main_path.planned(config), config.out)
        return
    # A cluster ends a job with SIGTERM: stop as for Ctrl-C, and with it the command at work.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ProgressBar(console) as progress:
        values = main_path.study(config, progress)
    show_study.show_study(console, values, config.out)
    _fail_if_set_aside(values)


def _fail_if_set_aside(values: dict[str, Any]) -> None:
    states = [cell["state"] for cell in values["cells"]]
    if n := states.count("failed"):
        raise click.ClickException(f"{n} of {len(states)} cells set aside; run again to retry them")
