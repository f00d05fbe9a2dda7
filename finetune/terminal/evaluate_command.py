"""The command `psgimg evaluate`."""

from __future__ import annotations

from pathlib import Path

import click
from psgimg.builder.command_options import config_option


@click.command()
@config_option
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE [OTHER]...",
    type=click.Path(path_type=Path),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write [default: FILE's name and -evaluation].",
)
@click.option(
    "--rounds",
    type=int,
    default=2000,
    show_default=True,
    help="Times that subjects are drawn for the 95 % intervals.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
def evaluate(files: tuple[Path, ...], out: Path | None, rounds: int, seed: int) -> None:
    """Say how well predictions agree with the scored stages: report, pictures, table, JSON.

    FILE comes from `psgimg predict` or from any tool: Parquet, CSV or JSON lines with the columns
    recording, epoch, label, prediction (W, N1, N2, N3 or REM, or empty where there is no valid
    answer: that counts as wrong). Columns corpus, subject, label_2 (a second scorer) and
    p_W … p_REM (probabilities) are used where they are there. Every OTHER is compared with FILE
    on the same epochs.
    """
    from psgimg.builder.console import open_console
    from psgimg.finetune.evaluation import evaluate as main_path
    from psgimg.finetune.evaluation import evaluation_report
    from psgimg.finetune.terminal import show_evaluation

    config = main_path.EvaluateConfig(files, out, rounds, seed)
    found = main_path.evaluate(config)
    main_path.write(config.folder, found)
    evaluation_report.write(config.folder, found)
    show_evaluation.show(open_console(), found, config.folder)
