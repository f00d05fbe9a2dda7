"""Terminal output of build and check: the quality of the lanes, in total and where it is poor."""

from __future__ import annotations

from collections.abc import Sequence

from psgimg.builder.console import new_table, styled
from psgimg.builder.dataset import lane_totals
from psgimg.builder.dataset.build_json import PlanFacts
from psgimg.builder.signals.quality import DEFECTS, GOOD, percent
from rich.console import Console

SHOWN = 20
"""Number of lanes of poor quality that are listed one by one."""


def show(console: Console, lanes: Sequence[str], recordings: Sequence[PlanFacts]) -> None:
    """Print the share of usable epochs of each lane, and the lanes of poor quality one by one.

    Parameters
    ----------
    lanes
        Names of the lanes of the montage.
    recordings
        Recordings whose samples were read; others are passed over.
    """
    totals = lane_totals.by_lane(lanes, recordings)
    if not totals:
        return
    usable = ", ".join(f"{one.lane} {percent(one.quality['usable'])}" for one in totals)
    console.print(f"signal quality, usable epochs: {usable}")
    poor = lane_totals.poor(recordings)
    if not poor:
        return
    n_recordings = len({(lane.corpus, lane.recording) for lane in poor})
    few = f"{n_recordings} of {len(recordings)} recordings have a lane with fewer than {percent(GOOD)} usable epochs"
    console.print(styled((few, "yellow"), ":"))
    names = ("recording", "lane")
    table = new_table(*names, "epochs", *DEFECTS, "usable", left=names)
    for lane in poor[:SHOWN]:
        shares = [percent(lane.quality[defect]) for defect in DEFECTS]
        name = f"{lane.corpus} {lane.recording}"
        usable_share = percent(lane.quality["usable"])
        table.add_row(name, lane.derivation, f"{lane.n_epochs:,}", *shares, usable_share)
    console.print(table)
    if len(poor) > SHOWN:
        console.print(f"  … and {len(poor) - SHOWN} more lanes")
