"""Variant sheet: one image with a training page of each stage beside its variants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psgimg.builder.card import contact_sheet
from psgimg.builder.card.contact_sheet import Picture
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.build_json import BuiltRecording
from psgimg.builder.dataset.schema import variant_columns
from psgimg.builder.dataset.shards import Done
from psgimg.builder.stages import STAGE_NAMES

FILE = "variants.png"
MOST_SHOWN = 3


def choose(out: Path, facts: Sequence[BuiltRecording]) -> bytes | None:
    """Return a PNG file with a clear page of each stage and up to ``MOST_SHOWN`` variants of it.

    Parameters
    ----------
    out
        Folder of the dataset.
    facts
        The recordings in the report; None is returned if none of them has variants.
    """
    varied = contact_sheet.ranked([fact for fact in facts if "variants" in fact])
    if not varied:
        return None
    done = shards.finished(out)
    lines: dict[str, list[Picture]] = {}
    for stage in STAGE_NAMES:
        shown = next((fact for fact in varied if fact["stages"][stage]), None)
        lines[stage] = _line(done[shown["corpus"], shown["recording"]], stage) if shown else []
    return contact_sheet.sheet(lines, max(map(len, lines.values())))


def _line(done: Done, stage: str) -> list[Picture]:
    """Return the clearest page of a stage in a recording, and its variants."""
    table = shards.read_column(done, ["label", "epoch", "onset_s"]).to_pydict()
    row = contact_sheet.clearest(table["label"], table["onset_s"], done.facts["epoch_s"], stage)[0]
    columns = ["image", *variant_columns(min(done.facts["variants"], MOST_SHOWN))]
    images = shards.read_column(done, columns)
    return [
        Picture(*done.key, table["epoch"][row], images[name][row].as_py()["bytes"], number)
        for number, name in enumerate(columns)
    ]
