"""Commands that build a dataset or inspect its sources: build, check, sources, preview."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import click
from psgimg.builder.access.fetch_options import fetch_options, token_option
from psgimg.builder.building import WORKER_MODULES
from psgimg.builder.command_options import OUT, PATH, by_lane, channel_option, config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.placing import parts
from psgimg.builder.placing.parts import Part
from psgimg.builder.processes.pool import Processes
from psgimg.builder.terminal import publish_commands
from psgimg.builder.terminal.options import (
    DEFAULT_NAME,
    data_options,
    filters_option,
    limit_option,
    montage_option,
    out_option,
    polarity_option,
    publish_options,
    root_option,
    source_option,
    style_option,
    subjects_option,
    workers_option,
)
from psgimg.builder.terminal.sharing_options import refuse_conflicts, sharing_options
from psgimg.builder.words import counted


@click.command()
@data_options
@out_option
@click.option(
    "--folds",
    type=int,
    default=0,
    metavar="K",
    help="Also write folds.csv with K folds by subject.",
)
@click.option(
    "--corrupt",
    multiple=True,
    metavar="SPEC",
    help="Corrupted twin of the test split, as noise:snr_db=0; repeatable. Kinds: lost, flat, "
    "polarity, inverted, hum, emg, pops, scale, noise, shift.",
)
@click.option(
    "--variants",
    multiple=True,
    metavar="SPEC",
    help="Also training pages of changed signals: labs, or as --corrupt; repeatable.",
)
@workers_option
@sharing_options
@fetch_options
@click.option("--push", is_flag=True, help="Publish it on the Hub afterwards; see `psgimg push`.")
@publish_options
def build(
    push: bool,
    workers: int | None,
    part: Part | None,
    join: bool,
    folders: tuple[Path, ...],
    cluster: str,
    repo_id: str,
    public: bool,
    permission: str,
    replace: bool,
    **options: Any,
) -> None:
    """Build a dataset from recordings: shards, card, report.

    Run the same command again to resume an interrupted build.
    """
    given = {"part": part, "join": join, "parts": folders, "cluster": cluster, "workers": workers}
    refuse_conflicts({name for name, value in given.items() if value}, options["fetch"], push=push)
    engine = Processes(workers or os.cpu_count() or 1)
    if not (part or join or cluster or options["limit"] == 1 or _is_built(options["out"])):
        click.get_current_context().with_resource(engine.importing(WORKER_MODULES))
    # Only now, as workers import theirs at the same time.
    from psgimg.builder import build as builder
    from psgimg.builder.dataset.config import BuildConfig
    from psgimg.builder.terminal import show_build, show_lanes, show_quality

    config = BuildConfig(**options, workers=engine.workers, part=part or parts.ALL)
    if part:
        console = open_console()
        with ProgressBar(console) as progress:
            done = builder.build_part(config, progress)
        show_build.show_part(console, done)
        return
    if push:
        from psgimg.builder.release.push import check_ready

        release = publish_commands.release_config(config.out, repo_id, public, permission, replace)
        ready = check_ready(release, config.source, open_console().print, config.fixed())
    elif public or permission or replace or repo_id != DEFAULT_NAME:
        raise click.UsageError("--repo-id, --public, --permission and --replace go with --push")
    console = open_console()
    with ProgressBar(console) as progress:
        expect = functools.partial(ready.expect, notify=progress.note) if push else builder.accept
        if join:
            report = builder.join(config, folders, progress, expect)
        elif cluster:
            report = builder.build_on(cluster, config, progress, expect)
        else:
            report = builder.build(config, progress, expect, engine)
    show_build.show_report(console, report)
    lanes = [lane["name"] for lane in report.values["recipe"]["montage"]["lanes"]]
    show_lanes.show(console, lanes, report.values["recordings"])
    show_quality.show(console, lanes, report.values["recordings"])
    show_build.show_ready(console, config.out, report)
    if push:
        publish_commands.send(release)


def _is_built(out: Path) -> bool:
    """Return whether a folder has a finished dataset, to which a build seldom adds much."""
    return (out / "build.json").exists()


@click.command()
@data_options
@click.option(
    "--signal",
    is_flag=True,
    help="Also read the signals, and list the quality of their lanes; takes seconds per recording.",
)
@workers_option
@fetch_options
def check(signal: bool, workers: int | None, **options: Any) -> None:
    """List the recordings that a build would draw, and those it would set aside, with reasons.

    Channels are judged by the header as in a build. Samples are read with --signal only; without
    it, a flat EEG is not found.
    """
    from psgimg.builder import check as checker
    from psgimg.builder.dataset.config import BuildConfig
    from psgimg.builder.terminal import show_build, show_lanes, show_quality

    config = BuildConfig(**options, workers=workers or os.cpu_count() or 1)
    if not signal and (config.min_quality or workers):
        raise click.UsageError("--min-quality and --workers go with --signal")
    console = open_console()
    with ProgressBar(console) as progress:
        plans, set_aside = checker.check(config, progress, signal=signal)
    show_build.show_plans(console, plans)
    lanes = [lane.name for lane in config.recipe().montage.lanes]
    show_lanes.show(console, lanes, plans)
    show_quality.show(console, lanes, plans)
    show_build.show_set_aside(console, set_aside)
    show_build.show_notes(console, plans)
    if plans:
        show_build.show_totals(console, plans)
    console.print(f"{counted(len(plans), 'recording')} would be built, {len(set_aside)} set aside")


@click.command()
@config_option
@source_option
@root_option
@subjects_option
@limit_option
@token_option
def fetch(
    source: tuple[str, ...],
    root: tuple[str, ...],
    subjects: tuple[str, ...],
    limit: int,
    token_file: Path | None,
) -> None:
    """Download recordings of a corpus; run the same command again to go on.

    `psgimg sources` lists the corpora that can be fetched, their size and terms.
    """
    from psgimg.builder import fetch as fetching
    from psgimg.builder.access.fetch_config import FetchConfig
    from psgimg.builder.terminal import show_fetch

    config = FetchConfig(keep=True, token_file=token_file)
    with ProgressBar(open_console()) as progress:
        brought = fetching.fetch(source, root, subjects, limit, config, progress)
    show_fetch.show_brought(open_console(), brought)
    if brought.lost:
        raise SystemExit(1)


@click.command()
def sources() -> None:
    """List the corpora: terms, how to get access, folders on disk."""
    from psgimg.builder.corpora import registry
    from psgimg.builder.corpora import sources as corpus_folders
    from psgimg.builder.terminal import show_build

    installed = registry.installed()
    corpora = [*registry.CORPORA.values(), *installed.corpora.values()]
    places = {corpus.name: corpus_folders.on_disk(corpus) for corpus in corpora}
    show_build.show_corpora(open_console(), corpora, places, installed.faults)


@click.command()
@config_option
@click.argument("edf", required=False, type=PATH)
@click.option(
    "--source",
    default="",
    metavar="NAME|FILE",
    help="Corpus of the recording or of the file's channel names, or a YAML file that describes it.",
)
@click.option("--root", default="", metavar="DIR", help="Folder of the corpus.")
@click.option(
    "--recording", default="", metavar="NAME", help="Recording of the corpus, in place of a file."
)
@click.option(
    "--epoch",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of the epoch as in the dataset; for a file, of the 30-s page, from 0.",
)
@montage_option
@style_option
@filters_option
@polarity_option
@channel_option
@click.option(
    "--mains",
    "mains_hz",
    type=float,
    default=None,
    help="Mains frequency of a file: 50 or 60 Hz.  [default: that of --source, or 50]",
)
@fetch_options
@click.option(
    "--out",
    type=OUT,
    default=Path("page.png"),
    show_default=True,
    help="Output PNG file; the page with its lanes named is written beside it.",
)
def preview(edf: Path | None, channels: tuple[str, ...], **options: Any) -> None:
    """Draw one page of a file or of a corpus recording, or report why a build would not.

    EDF stands for a file in any format that MNE reads.
    """
    from psgimg.builder.preview import PreviewConfig, preview
    from psgimg.builder.terminal import show_build

    config = PreviewConfig(edf, channels=by_lane(channels), **options)
    console = open_console()
    with ProgressBar(console) as progress:
        page = preview(config, progress)
    show_build.show_page(console, page)
