"""Commands that publish, export or rebuild a finished dataset: push, export, rebuild."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import click
from psgimg.builder.access.fetch_options import fetch_options
from psgimg.builder.command_options import OUT, PATH, config_option
from psgimg.builder.console import ProgressBar, open_console, styled
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
@click.argument("folder", type=PATH)
@publish_options
@click.option("--dry-run", is_flag=True, help="Show what would be sent, without sending it.")
def push(
    folder: Path, repo_id: str, public: bool, permission: str, replace: bool, dry_run: bool
) -> None:
    """Publish a dataset or a model folder on the Hugging Face Hub.

    Restricted corpora, and models trained on them, go to a private, gated repository. Run the same
    command again to send only what is missing.
    """
    from psgimg.builder.release import models

    if models.is_model(folder):
        if replace:
            raise click.UsageError(
                "--replace is for datasets; a model always replaces the former one"
            )
        _send_model(folder, repo_id, public, permission, dry_run)
        return
    send(release_config(folder, repo_id, public, permission, replace, dry_run))


@click.command()
@config_option
@click.argument("folder", type=PATH)
@click.option(
    "--labels-only",
    is_flag=True,
    help="Export labels, recipe and checksums; no pictures or signals.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["sharegpt", "trl", "webdataset", "imagefolder"]),
    help="Export pages in the layout of another tool.",
)
@click.option(
    "--out",
    type=OUT,
    help="Output folder.  [default: psg-labels, or psg- and the format]",
)
@click.option(
    "--split", default="all", show_default=True, help="Split to export with --format, or all."
)
@click.option(
    "--prompt",
    default="closed",
    show_default=True,
    metavar="NAME|FILE",
    help="Prompt for --format sharegpt or trl: closed, aasm or a YAML file.",
)
def export(
    folder: Path, labels_only: bool, form: str | None, out: Path | None, split: str, prompt: str
) -> None:
    """Export a dataset for other tools, or only the labels and recipe that may be shared.

    --labels-only is the lawful way to share work on a restricted corpus: anyone with access to the
    recordings can recreate the same pictures with `psgimg rebuild`.
    """
    if labels_only == bool(form):
        raise click.UsageError("use either --labels-only or --format")
    if labels_only and split != "all":
        raise click.UsageError("--split needs --format; a labels-only export contains all splits")
    if form not in ("sharegpt", "trl") and prompt != "closed":
        raise click.UsageError("--prompt needs --format sharegpt or trl")
    out = out or Path(f"psg-{'labels' if labels_only else form}")
    console = open_console()
    if labels_only:
        from psgimg.builder.exports import labels_only as export_labels

        export_labels.write(folder, out)
    else:
        with ProgressBar(console) as progress:
            progress.start("writing", unit="pages")
            _export(form, folder, out, split, prompt, progress)
    how = f" is ready. See {out / 'README.md'} for how to use it."
    console.print(styled((str(out), "bold"), how))


def _export(
    form: str | None, folder: Path, out: Path, split: str, prompt: str, progress: Progress
) -> None:
    if form == "sharegpt":
        from psgimg.builder.exports import sharegpt

        sharegpt.write(folder, out, split, progress, prompt)
    elif form == "trl":
        from psgimg.builder.exports import trl

        trl.write(folder, out, split, progress, prompt)
    elif form == "webdataset":
        from psgimg.builder.exports import webdataset

        webdataset.write(folder, out, split, progress)
    else:
        from psgimg.builder.exports import imagefolder

        imagefolder.write(folder, out, split, progress)


@click.command()
@config_option
@click.argument("labels", type=PATH)
@root_option
@click.option(
    "--source",
    multiple=True,
    metavar="NAME|FILE",
    help="Corpus of the export to rebuild, or its YAML file; may be repeated.  [default: all]",
)
@out_option
@workers_option
@fetch_options
def rebuild(labels: Path, workers: int | None, **options: Any) -> None:
    """Recreate a dataset from its labels-only export and your own recordings.

    Every shard is verified against the checksum in the export.
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
    """Return the ``PushConfig`` of the options of a release."""
    from psgimg.builder.release.push import PushConfig
    from psgimg.builder.release.visibility import Wish

    return PushConfig(folder, repo_id, Wish(public, permission), replace, dry_run)


def send(config: Any) -> None:
    """Push a dataset, and show the plan and the result."""
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
