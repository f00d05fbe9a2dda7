"""The command `psgimg stage`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import OUT, PATH, by_lane, channel_option, config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.errors import BuildError
from psgimg.builder.signals.polarity_rule import RULES
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import (
    batch_size_option,
    decode_option,
    device_option,
    dtype_option,
    loaders_option,
    mains_option,
    scoring_format_option,
    trust_option,
)

NO_MODEL = (
    "give --model: yasa for YASA's published stager, which reads signals (pip "
    "install 'psgimg[yasa]'), or a folder or Hub id of `psgimg sft`, which reads pictures (pip "
    "install 'psgimg[finetune]')"
)


@click.command()
@config_option
@click.argument("night", type=PATH)
@click.option(
    "--model",
    metavar="DIR|ID|yasa",
    help="Folder written by `psgimg sft`, or id on the Hub; or yasa: YASA's stager.",
)
@click.option("--out", type=OUT, help="Output folder [default: NIGHT-stages].")
@channel_option
@mains_option
@click.option(
    "--polarity",
    type=click.Choice(RULES),
    default=None,
    metavar="RULE",
    help="Sign of EEG and EOG: by blinks, as recorded, or inverted [default: the model's].",
)
@click.option(
    "--lights-off", metavar="TIME", help="Lights off: clock time (23:10) or seconds from the start."
)
@click.option(
    "--lights-on",
    metavar="TIME",
    help="Lights on; sleep statistics cover the time between the two.",
)
@click.option(
    "--review",
    type=float,
    default=0.7,
    show_default=True,
    metavar="P",
    help="Mark epochs below this confidence for review.",
)
@click.option(
    "--scoring",
    type=PATH,
    metavar="FILE",
    help="Stage the epochs of an existing scoring; its stages are not used.",
)
@scoring_format_option
@click.option(
    "--any-lanes",
    is_flag=True,
    help="Accept lanes that the model never learned; every epoch is marked for review.",
)
@decode_option
@click.option("--age", type=int, metavar="YEARS", help="For yasa: age of the sleeper.")
@click.option("--sex", type=click.Choice(("F", "M")), help="For yasa: sex of the sleeper.")
@batch_size_option
@device_option
@loaders_option
@dtype_option
@trust_option
def stage(night: Path, model: str | None, channels: tuple[str, ...], **options: Any) -> None:
    """Stage a recording that belongs to no corpus: hypnogram, sleep statistics, figure.

    NIGHT is a file in any format that MNE reads. A model of `psgimg sft` is shown its pages, drawn
    as for its training; yasa needs no model of your own and reads one EEG, EOG and EMG.
    """
    if model is None:
        raise BuildError(NO_MODEL)
    optional_dependencies.quiet_threads()
    from psgimg.finetune.staging import stage as stager
    from psgimg.finetune.staging.stage_config import StageConfig
    from psgimg.finetune.terminal import show_staged_night

    config = StageConfig(night, model, channels=by_lane(channels), **options)
    console = open_console()
    with ProgressBar(console) as progress:
        staged = stager.stage(config, progress)
    show_staged_night.show(console, staged, config.folder, stager.OUTPUT)
