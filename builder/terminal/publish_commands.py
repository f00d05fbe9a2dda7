"""Commands that give a finished dataset away: push, export, rebuild."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.progress import Progress
from psgimg.builder.terminal.options import (
    DEFAULT_NAME,
    out_option,
    publish_options,
    root_option,
    workers_option,
)


@click.command()
@config_option
@click.argument("folder", type=click.Path(path_type=Path))
@publish_options
@click.option("--dry-run", is_flag=True, help="Show what would be sent; write nothing.")
def push(
    folder: Path, repo_id: str, public: bool, permission: str, replace: bool, dry_run: bool
) -> None:
    """Publish a dataset or a model folder on the Hugging Face Hub.

    Restricted corpora go to a private, gated repository, and so do models that learned from them.
    Run again, it sends only what is missing.
    """
    from psgimg.builder.release import models

    if models.is_model(folder):
        if replace:
            raise click.UsageError("--replace goes with datasets: a model replaces the former one")
        _send_model(folder, repo_id, public, permission, dry_run)
        return
    send(release_config(folder, repo_id, public, permission, replace, dry_run))


@click.command()
@config_option
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--labels-only", is_flag=True, help="Labels, recipe, checksums; no picture, no signal."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["sharegpt", "webdataset", "imagefolder"]),
    help="Pages in another tool's layout.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write [default: psg- and labels, or the format].",
)
@click.option("--split", default="all", show_default=True, help="Only this split, with --format.")
@click.option(
    "--prompt",
    default="closed",
    show_default=True,
    metavar="NAME|FILE",
    help="Question of sharegpt: closed, aasm or a YAML file.",
)
def export(
    folder: Path, labels_only: bool, form: str | None, out: Path | None, split: str, prompt: str
) -> None:
    """Write a dataset folder for other tools, or only what may be passed on of it.

    --labels-only is the lawful way to share work on a restricted corpus: whoever has the
    recordings makes the same pictures again with `psgimg rebuild`.
    """
    if labels_only == bool(form):
        raise click.UsageError("give either --labels-only or --format")
    if labels_only and split != "all":
        raise click.UsageError("--split goes with --format: an export of labels is whole")
    if form != "sharegpt" and prompt != "closed":
        raise click.UsageError("--prompt goes with --format sharegpt")
    out = out or Path(f"psg-{'labels' if labels_only else form}")
    console = open_console()
    if labels_only:
        from psgimg.builder.exports import labels_only as export_labels

        export_labels.write(folder, out)
    else:
        with ProgressBar(console) as progress:
            progress.start("writing", unit="pages")
            _export(form, folder, out, split, prompt, progress)
    console.print(f"[bold]{out}[/] is ready. {out / 'README.md'} says how it is used.")


def _export(
    form: str | None, folder: Path, out: Path, split: str, prompt: str, progress: Progress
) -> None:
    if form == "sharegpt":
        from psgimg.builder.exports import sharegpt

        sharegpt.write(folder, out, split, progress, prompt)
    elif form == "webdataset":
        from psgimg.builder.exports import webdataset

        webdataset.write(folder, out, split, progress)
    else:
        from psgimg.builder.exports import imagefolder

        imagefolder.write(folder, out, split, progress)


@click.command()
@config_option
@click.argument("labels", type=click.Path(path_type=Path))
@root_option
@click.option(
    "--source",
    multiple=True,
    metavar="NAME|FILE",
    help="Only this corpus of the export; a YAML file if it was built by one.",
)
@out_option
@workers_option
def rebuild(labels: Path, workers: int | None, **options: Any) -> None:
    """Make a dataset again from its labels-only export and your own recordings.

    Every shard is compared with the export's checksum.
    """
    from psgimg.builder import rebuild as rebuilder
    from psgimg.builder.terminal import show_release

    config = rebuilder.RebuildConfig(labels, **options, workers=workers or os.cpu_count() or 1)
    console = open_console()
    with ProgressBar(console) as progress:
        rebuilt = rebuilder.rebuild(config, progress)
    show_release.show_rebuilt(console, rebuilt)
    if rebuilt.fault:
        raise click.ClickException(rebuilt.fault)


def release_config(
    folder: Path, repo_id: str, public: bool, permission: str, replace: bool, dry_run: bool = False
) -> Any:
    """What a push is told."""
    from psgimg.builder.release.push import PushConfig
    from psgimg.builder.release.visibility import Wish

    return PushConfig(folder, repo_id, Wish(public, permission), replace, dry_run)


def send(config: Any) -> None:
    """Push, and show what came of it."""
    from psgimg.builder.release import push as releaser
    from psgimg.builder.terminal import show_release

    console = open_console()
    with ProgressBar(console) as progress:
        shown = functools.partial(show_release.show_plan, console)
        pushed = releaser.push(config, progress, shown)
    show_release.show_pushed(console, pushed)


def _send_model(folder: Path, repo_id: str, public: bool, permission: str, dry_run: bool) -> None:
    from psgimg.builder.release import models
    from psgimg.builder.release.visibility import Wish
    from psgimg.builder.terminal import show_release

    name = folder.resolve().name if repo_id == DEFAULT_NAME else repo_id
    console = open_console()
    with ProgressBar(console) as progress:
        shown = functools.partial(show_release.show_model_plan, console)
        pushed = models.push(folder, name, Wish(public, permission), dry_run, progress, shown)
    show_release.show_pushed_model(console, pushed)
