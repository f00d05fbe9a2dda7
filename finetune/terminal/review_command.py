"""The command `psgimg review`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import OUT, PATH, by_lane, channel_option
from psgimg.builder.console import ProgressBar, open_console
from psgimg.finetune import optional_dependencies
from psgimg.finetune.terminal.options import mains_option, scoring_format_option


@click.command()
@click.argument("nights", type=PATH, nargs=-1, required=True)
@click.option(
    "--scoring", type=PATH, metavar="FILE", help="Scoring of the recording, in any known format."
)
@scoring_format_option
@click.option(
    "--codes",
    metavar="CODE=STAGE,...",
    help="Stages of the numbers in a scoring, such as 0=W,1=N1,2=N2,3=N3,4=REM,-1= (none).",
)
@click.option(
    "--against",
    type=PATH,
    metavar="PATH",
    help="Second scoring, or folder of scorings, shown beside the first with their agreement.",
)
@click.option("--blind", is_flag=True, help="Score without the model's answers; hide names.")
@click.option("--scorer", default="", metavar="NAME", help="Who scores [default: login name].")
@click.option("--out", type=OUT, help="Folder of the review [default: NIGHT-stages/review].")
@click.option(
    "--recording", type=PATH, metavar="PATH", help="Moved recording, or folder of several."
)
@click.option(
    "--model", default="", metavar="DIR|ID", help="Model of `psgimg sft`, asked for reasons."
)
@click.option(
    "--montage",
    default="",
    metavar="NAME|FILE",
    help="Lanes of a night that no model staged from pictures [default: aasm].",
)
@click.option(
    "--style",
    default="",
    metavar="NAME|FILE",
    help="Style of such a night's pages [default: clinical].",
)
@channel_option
@mains_option
@click.option(
    "--port", type=int, default=0, metavar="N", help="Port on this machine [default: a free one]."
)
@click.option("--no-open", is_flag=True, help="Don't open the browser.")
def review(
    nights: tuple[Path, ...], channels: tuple[str, ...], no_open: bool, **options: Any
) -> None:
    """Review nights in the browser: look at their pages, correct their stages.

    NIGHTS are folders that `psgimg stage` wrote, folders that contain them, or recordings. The page
    is served on this machine only, at the address that is printed. Each change is saved as it is
    made; the model's own files stay as they are.
    """
    optional_dependencies.quiet_threads()
    from psgimg.finetune.review import requirements

    requirements.require()
    from psgimg.finetune.review import serve, worklist
    from psgimg.finetune.review.review_config import ReviewConfig

    config = ReviewConfig(nights, channels=by_lane(channels), **options)
    console = open_console()

    def ready(address: str) -> None:
        console.print(f"review at {address}")
        console.print("end with Ctrl-C; every change is saved as it is made")

    with ExitStack() as held:
        with ProgressBar(console) as progress:
            opened = held.enter_context(worklist.opened(config, progress))
        serve.serve(opened, config, console.print, ready, opens=not no_open)
