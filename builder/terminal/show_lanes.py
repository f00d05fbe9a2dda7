"""Terminal output of build and check: the lanes that are absent, inverted, rescaled or clipped."""

from __future__ import annotations

from collections.abc import Sequence

from psgimg.builder.dataset import lane_totals
from psgimg.builder.dataset.build_json import PlanFacts
from rich.console import Console


def show(console: Console, lanes: Sequence[str], recordings: Sequence[PlanFacts]) -> None:
    """Print a line for each lane of the montage to which something was done."""
    for total in lane_totals.treatments(lanes, recordings):
        if total.sentences:
            console.print(f"lane {total.lane}: {'; '.join(total.sentences)}")
