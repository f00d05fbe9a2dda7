"""The command `psgimg calibrate`."""

from __future__ import annotations

from typing import Any

import click
from psgimg.builder.command_options import OUT, PATH, config_option
from psgimg.builder.console import open_console
from psgimg.finetune.terminal.options import corpus_option, decode_option, fold_option


@click.command()
@config_option
@click.argument("file", metavar="VALIDATION", type=PATH)
@click.option(
    "--model",
    metavar="DIR",
    help="Keep the calibration in this folder of `psgimg sft`, whose model made VALIDATION.",
)
@click.option(
    "--apply",
    type=PATH,
    metavar="FILE",
    help="Apply it to other predictions by the same method, a baseline or an ensemble.",
)
@click.option("--out", type=OUT, help="With --apply: output file, .parquet, .csv or .jsonl.")
@decode_option
@click.option(
    "--dataset",
    metavar="DIR|ID",
    help="Dataset whose train split shows how stages follow each other [default: the model's].",
)
@fold_option
@corpus_option
def calibrate(**options: Any) -> None:
    """Fit a model's temperature, and its weight for decoding nights, to held-out people.

    VALIDATION holds predictions of people whom the model did not learn from, made with --split
    validation. The temperature scales the probabilities. The weight says how much the stages before
    and after count in a decoded night; with it, no fewer epochs of VALIDATION are right. Both are kept
    with the model, and `psgimg predict` and `psgimg stage` apply them.
    """
    from psgimg.finetune import calibrate as main_path
    from psgimg.finetune.terminal import show_calibration

    config = main_path.CalibrateConfig(**options)
    show_calibration.show(open_console(), main_path.calibrate(config), config)
