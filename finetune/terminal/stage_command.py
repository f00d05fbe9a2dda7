"""The command `psgimg stage`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.errors import BuildError
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import batch_size_option, trust_option


@click.command()
@config_option
@click.argument("night", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="DIR|ID", help="Folder of `psgimg sft`.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to write [default: NIGHT-stages]."
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar='LANE="LABEL"',
    help='Channel that fills a lane, such as C4-M1="EEG C4-A1"; "A,B" is A minus B.',
)
@click.option(
    "--mains", "mains_hz", type=float, default=50.0, show_default=True, help="Mains: 50 or 60 Hz."
)
@click.option("--lights-off", metavar="TIME", help="Clock time (23:10), or seconds from the start.")
@click.option("--lights-on", metavar="TIME", help="Statistics are counted between the two.")
@click.option(
    "--review",
    type=float,
    default=0.7,
    show_default=True,
    metavar="P",
    help="Mark epochs of a lower confidence for review.",
)
@batch_size_option
@trust_option
def stage(night: Path, channels: tuple[str, ...], **options: Any) -> None:
    """Stage a recording that belongs to no corpus: hypnogram, statistics, picture.

    NIGHT is of any format that MNE reads. Its pages are drawn as the model was taught.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune.staging import stage as stager
    from psgimg.finetune.terminal import show_staged_night

    config = stager.StageConfig(night, channels=_given(channels), **options)
    console = open_console()
    with ProgressBar(console) as progress:
        found = stager.stage(config, progress)
    show_staged_night.show(console, found, config.folder, stager.OUTPUT)


def _given(channels: tuple[str, ...]) -> dict[str, str]:
    """Lane to label."""
    found: dict[str, str] = {}
    for said in channels:
        lane, equals, label = said.partition("=")
        if not (equals and lane.strip() and label.strip()):
            raise BuildError(f'--channel {said}: write it as --channel LANE="LABEL"')
        if lane.strip() in found:
            raise BuildError(f"--channel {lane.strip()} is given twice; give it once")
        found[lane.strip()] = label.strip()
    return found
