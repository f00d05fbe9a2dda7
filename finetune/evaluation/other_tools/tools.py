"""Tools: the sleep stagers whose files are read, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psgimg.finetune.evaluation.other_tools import (
    pops_files,
    sleepvlm_files,
    usleep_files,
    yasa_files,
)
from psgimg.finetune.evaluation.other_tools.staged import Staged
from psgimg.finetune.metrics.disclosure import Elsewhere, View


@dataclass(frozen=True)
class Tool:
    """A sleep stager.

    Parameters
    ----------
    title
        Its name.
    read
        Reads a file, which has one or several recordings.
    suffixes
        Endings of its files, for those in a folder.
    names_inside
        Whether its files name their recordings; if not, each is named after its recording.
    elsewhere
        The corpora that the published model learned from, where they are stated.
    view
        What it sees to stage an epoch, where ``View`` can say it.
    """

    title: str
    read: Callable[[Path], list[Staged]]
    suffixes: tuple[str, ...]
    names_inside: bool = False
    elsewhere: Elsewhere | None = None
    view: View | None = None


TOOLS = {
    "usleep": Tool(
        "U-Sleep",
        usleep_files.read,
        usleep_files.SUFFIXES,
        elsewhere=Elsewhere(
            "U-Sleep",
            (
                *("abc", "ccshs", "cfs", "chat", "dcsm", "homepap", "mesa", "mros", "cinc2018"),
                *("sleep-edf", "shhs", "sof"),
            ),
            "Perslev et al. 2021, doi:10.1038/s41746-021-00440-5",
        ),
    ),
    "yasa": Tool(
        "YASA",
        yasa_files.read,
        yasa_files.SUFFIXES,
        elsewhere=Elsewhere(
            "YASA",
            ("ccshs", "cfs", "chat", "homepap", "mesa", "mros", "shhs"),
            "Vallat and Walker 2021, eLife 10:e70092; github.com/raphaelvallat/yasa_classifiers",
        ),
        view=View(7, 7, whole_night=True, time_of_night=True),
    ),
    "pops": Tool("POPS", pops_files.read, pops_files.SUFFIXES, names_inside=True),
    "sleepvlm": Tool(
        "SleepVLM",
        sleepvlm_files.read,
        sleepvlm_files.SUFFIXES,
        names_inside=True,
        elsewhere=Elsewhere("SleepVLM", ("mass",), "arXiv:2603.26738"),
        view=View(1, 1),
    ),
}
"""Name in ``--from`` → tool."""
