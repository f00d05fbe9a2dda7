"""The command line. Each command reads its options, calls one function, and shows what came out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
from psgimg.builder.errors import PsgimgError


def minutes(value: Any) -> float | None:
    """Minutes as a number; ``none`` as None."""
    if value is None or str(value).lower() == "none":
        return None
    try:
        if (number := float(value)) >= 0:
            return number
    except ValueError:
        pass
    raise click.BadParameter(f"{value!r}: give minutes, such as 30, or none")


def names(value: Any) -> tuple[str, ...]:
    """``a,b`` or a YAML list → a tuple."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(str(part).strip() for part in parts if str(part).strip())


def read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Take a YAML file's values as defaults: what stands on the command line wins."""
    if path is None:
        return None
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"--config {path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise click.ClickException(f"--config {path}: expected `option: value` lines")
    known = {
        o.opts[-1].removeprefix("--"): o.name for o in ctx.command.params if o.opts != ["--config"]
    }
    values = {str(key).replace("_", "-"): value for key, value in values.items()}
    if unknown := ", ".join(sorted(set(values) - set(known))):
        raise click.ClickException(
            f"--config {path}: unknown option {unknown}; there are {', '.join(sorted(known))}"
        )
    for key in ("source", "root"):
        if isinstance(values.get(key), str):
            values[key] = [values[key]]
    ctx.default_map = {str(known[key]): value for key, value in values.items()}
    return path


DATA_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=read_config,
        is_eager=True,
        expose_value=False,
        help="YAML file with any of these options.",
    ),
    click.option(
        "--source",
        multiple=True,
        metavar="NAME",
        help="Corpus; may be repeated. `psgimg sources` lists them.",
    ),
    click.option(
        "--root",
        multiple=True,
        metavar="[NAME=]DIR",
        help="Folder of the corpus (or PSGIMG_<NAME>_ROOT).",
    ),
    click.option(
        "--montage",
        default="",
        metavar="NAME",
        help="Lanes to draw [default: the corpus's own; aasm for several].",
    ),
    click.option(
        "--style",
        default="clinical",
        show_default=True,
        metavar="NAME|FILE",
        help="clinical, paper, sleepvlm or a YAML file.",
    ),
    click.option(
        "--scorer",
        default="",
        metavar="NAME",
        help="Whose stages are the label [default: the first].",
    ),
    click.option(
        "--trim",
        "trim_min",
        type=minutes,
        default="30",
        show_default=True,
        help="Wake kept around sleep, or none to keep all.",
    ),
    click.option(
        "--subjects", type=names, default="", metavar="A,B,…", help="Only these subjects."
    ),
    click.option(
        "--limit",
        type=click.IntRange(0),
        default=0,
        metavar="N",
        help="Only the first N recordings of each source.",
    ),
    click.option(
        "--splits",
        default="80/10/10",
        show_default=True,
        help="Shares of train/validation/test, by subject.",
    ),
    click.option(
        "--split-file",
        type=click.Path(path_type=Path),
        help="A published split: CSV or JSON.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split."),
)
"""What `build` and `check` share: what to read, and how."""


def data_options(command: Any) -> Any:
    """Give a command the shared options."""
    for option in reversed(DATA_OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="psgimg")
def cli() -> None:
    """Sleep recordings as pictures: image + label datasets for vision-language models.

    Start with `psgimg build --source demo`, which needs no corpus.
    """


@cli.command()
@data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("psg-images"),
    show_default=True,
    help="Folder of the dataset.",
)
@click.option(
    "--folds", type=int, default=0, metavar="K", help="Also write folds.csv: K folds by subject."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    metavar="N",
    help="Processes [default: one a core].",
)
@click.option("--fetch", is_flag=True, help="Download the --subjects first (sleep-edf only).")
@click.option("--push", is_flag=True, help="Publish on the Hub (comes with the next release).")
def build(fetch: bool, push: bool, workers: int | None, **options: Any) -> None:
    """Turn recordings into a dataset: shards, card, report.

    Run again, the same command goes on where it was interrupted.
    """
    from psgimg.builder import build as builder
    from psgimg.builder import ui
    from psgimg.builder.config import BuildConfig

    if push:
        raise click.ClickException(
            "--push comes with the next release; the folder itself loads with load_dataset"
        )
    config = BuildConfig(**options, workers=workers or os.cpu_count() or 1)
    if fetch:
        _fetch(config.source, config.subjects, config.root)
    console = _console()
    with ui.BuildProgress(console) as progress:
        report = builder.build(config, progress)
    ui.show_report(console, report)
    console.print(f"\n[bold]{config.out}[/] is ready. Look at {config.out / 'preview.png'}, then:")
    console.print(f'  datasets.load_dataset("{config.out}")', highlight=False)


@cli.command()
@data_options
def check(**options: Any) -> None:
    """Show what a build would take, and what it would set aside and why. Draws nothing."""
    from psgimg.builder import check as checker
    from psgimg.builder import ui
    from psgimg.builder.config import BuildConfig

    console = _console()
    plans, set_aside = checker.check(BuildConfig(**options), ui.track(console))
    ui.show_plans(console, plans)
    ui.show_set_aside(console, set_aside)
    console.print(f"{len(plans)} recordings would be built, {len(set_aside)} set aside")


@cli.command()
def sources() -> None:
    """List the corpora: terms, how to get access, what lies on disk."""
    from psgimg.builder import sources as found
    from psgimg.builder import ui
    from psgimg.builder.corpora import CORPORA

    ui.show_corpora(_console(), CORPORA.values(), {name: found.on_disk(name) for name in CORPORA})


@cli.command()
@click.argument("edf", required=False, type=click.Path(path_type=Path))
@click.option(
    "--source", default="", metavar="NAME", help="Corpus of the recording (its names for channels)."
)
@click.option("--root", default="", metavar="DIR", help="Folder of the corpus.")
@click.option(
    "--recording", default="", metavar="NAME", help="Recording of the corpus, instead of a file."
)
@click.option(
    "--epoch",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Page to draw, counted in 30 s from 0.",
)
@click.option(
    "--montage",
    default="",
    metavar="NAME",
    help="Lanes to draw [default: the corpus's own, or aasm].",
)
@click.option(
    "--style",
    default="clinical",
    show_default=True,
    metavar="NAME|FILE",
    help="clinical, paper, sleepvlm or a YAML file.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("page.png"),
    show_default=True,
    help="PNG to write.",
)
def preview(edf: Path | None, **options: Any) -> None:
    """Draw one page of an EDF, or of a corpus's recording, before building."""
    from psgimg.builder import ui
    from psgimg.builder.preview import PreviewConfig, preview

    ui.show_page(_console(), preview(PreviewConfig(edf, **options)))


def _fetch(source: tuple[str, ...], subjects: tuple[str, ...], root: tuple[str, ...]) -> None:
    from psgimg.builder.corpora import sleep_edf

    if source != (sleep_edf.CORPUS.name,) or not subjects:
        raise click.ClickException(
            "--fetch needs --source sleep-edf and --subjects, such as --subjects SC400,SC401"
        )
    place = Path(root[0].partition("=")[2] or root[0]) if root else Path()
    sleep_edf.fetch(list(subjects), place)


def _console() -> Any:
    from rich.console import Console

    return Console(soft_wrap=True)


def main() -> None:
    """Run the command line; what psgimg refuses is one line, not a traceback."""
    try:
        cli(standalone_mode=False)
    except PsgimgError as error:
        click.echo(f"psgimg: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("psgimg: interrupted; the same command goes on from here", err=True)
        sys.exit(130)
