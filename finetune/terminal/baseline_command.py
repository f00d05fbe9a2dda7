"""The command `psgimg baseline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from psgimg.builder.access.fetch_options import fetch_options
from psgimg.builder.command_options import OUT, config_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import corpus_option, fold_option, join_option, part_option


@click.command()
@config_option
@click.option(
    "--dataset", required=True, metavar="DIR|ID", help="Dataset to train on, by its train split."
)
@click.option(
    "--root",
    multiple=True,
    metavar="[NAME=]DIR",
    help="Folder of a corpus, from which signals are read; can be repeated.",
)
@click.option(
    "--source",
    multiple=True,
    metavar="FILE",
    help="YAML file that describes a corpus of the dataset; can be repeated.",
)
@click.option(
    "--method",
    multiple=True,
    metavar="NAME",
    help="boosting, boosting-page, cnn, labram, usleep or yasa; can be repeated [default: all that can run].",
)
@click.option("--split", default="test", show_default=True, help="Split to stage.")
@fold_option
@click.option("--on", metavar="DIR|ID", help="Stage the split of another dataset instead.")
@corpus_option
@click.option(
    "--out",
    type=OUT,
    default=Path("psg-baselines"),
    show_default=True,
    help="Output folder, with one file per method.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option(
    "--train-subjects",
    type=int,
    help="Number of training subjects, the same ones as of `psgimg sft` [default: all].",
)
@click.option(
    "--weights", metavar="DIR|ID", help="Pretrained weights of labram, in a folder or on the Hub."
)
@click.option(
    "--soft-labels", is_flag=True, help="Learn from all scorers of a page, as `psgimg sft` does."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Recordings processed in parallel.",
)
@click.option(
    "--train", is_flag=True, help="Only train, once, for the tasks of a job array that follow."
)
@part_option
@join_option
@fetch_options
def baseline(**options: Any) -> None:
    """Stage from the signals instead of pictures: same recordings, splits and epochs.

    boosting: gradient-boosted trees on YASA's features, which know neighbouring epochs and the time
    of night. boosting-page: the same with one page only, as a model sees it. cnn: a small
    braindecode network on the lanes of one page. usleep: U-Sleep, trained anew on the lanes of 35
    pages in a row. labram: a linear probe of LaBraM, whose weights you give. yasa: YASA's own
    stager, trained on NSRR data.
    Compare them with `psgimg evaluate`. With --fetch each method downloads anew; --keep avoids it.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune.baselines import baseline as main
    from psgimg.finetune.terminal import show_baselines

    console = open_console()
    with ProgressBar(console) as progress:
        results = main.baseline(main.BaselineConfig(**options), progress)
    whole = {name: found for name, found in results.items() if found is not None}
    if len(whole) < len(results):
        show_baselines.show_next(console, results, options["part"])
    else:
        show_baselines.show(console, whole, options["out"])
