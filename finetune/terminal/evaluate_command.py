"""The command `psgimg evaluate`."""

from __future__ import annotations

from pathlib import Path

import click
from psgimg.builder.command_options import OUT, PATH, config_option
from psgimg.finetune.terminal.options import scoring_format_option

TOOLS = ("usleep", "yasa", "pops", "sleepvlm")
"""The keys of ``other_tools.tools.TOOLS``, which is not imported for the help."""


@click.command()
@config_option
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE [OTHER]...",
    type=PATH,
)
@click.option(
    "--out",
    type=OUT,
    help="Output folder [default: FILE-evaluation].",
)
@click.option(
    "--join",
    is_flag=True,
    help="Evaluate files of disjoint epochs, such as those of all folds, as one.",
)
@click.option(
    "--combine",
    is_flag=True,
    help="Evaluate the mean of the files' probabilities, an ensemble, and compare it with each.",
)
@click.option(
    "--from",
    "tool",
    type=click.Choice(TOOLS),
    help="The files are written by this sleep stager, one for each recording and named after it.",
)
@click.option(
    "--labels",
    metavar="FILE|DATASET",
    help="Scored epochs for --from: a predictions file, or a dataset of `psgimg build`.",
)
@click.option(
    "--against",
    type=PATH,
    metavar="SCORING",
    help="FILE is a folder of `psgimg stage`, SCORING somebody's scoring of its night.",
)
@scoring_format_option
@click.option(
    "--codes",
    metavar="CODE=STAGE,...",
    help="Stages of numbers in FILE or SCORING, such as 0=W,1=N1,2=N2,3=N3,4=REM,-1= (none).",
)
@click.option(
    "--subjects-table",
    type=PATH,
    metavar="FILE",
    help="CSV, TSV or Parquet with a row per subject, such as participants.tsv of BIDS.",
)
@click.option(
    "--by",
    metavar="COLUMN,...",
    help="Columns of that table to group subjects by: age,sex,ahi, or with edges age:18-40-65.",
)
def evaluate(
    files: tuple[Path, ...],
    out: Path | None,
    join: bool,
    combine: bool,
    tool: str | None,
    labels: str | None,
    against: Path | None,
    scoring_format: str | None,
    codes: str | None,
    subjects_table: Path | None,
    by: str | None,
) -> None:
    """Measure the agreement of predictions with the scored stages: report, figures, table, JSON.

    FILE is written by `psgimg predict` or any other tool: Parquet, CSV or JSON Lines with the
    columns recording, epoch, label and prediction (W, N1, N2, N3, REM or the usual other names; an
    empty prediction means no valid answer and counts as wrong). The columns corpus, subject,
    label_2 (a second scorer), p_W … p_REM (probabilities) and epoch_s (length of an epoch in
    seconds) are optional. Each OTHER is compared with FILE on the epochs that both contain.
    """
    from psgimg.builder.console import open_console
    from psgimg.builder.processes import lock
    from psgimg.finetune.evaluation import evaluate as main_path
    from psgimg.finetune.evaluation import evaluation_report
    from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
    from psgimg.finetune.terminal import show_evaluation

    config = EvaluateConfig(
        files,
        out,
        join,
        combine,
        tool,
        labels,
        codes,
        subjects_table=subjects_table,
        by=by,
        against=against,
        scoring_format=scoring_format,
    )
    evaluation_report.check(config.folder)
    evaluation = main_path.evaluate(config)
    refusal = (
        f"another psgimg evaluate is writing {config.folder}; wait for it or choose another --out"
    )
    with lock.held(lock.beside(config.folder), refusal):
        main_path.write(config.folder, evaluation)
        evaluation_report.write(config.folder, evaluation)
    show_evaluation.show(open_console(), evaluation, config.folder)
