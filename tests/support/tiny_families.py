"""Tiny corpora in the layout of CFS with any people and families, each night with a signal of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tiny_edf import channels, night, write_psg
from tiny_scorings import nsrr_xml, profusion_xml


def write(root: Path, families: Mapping[str, int], minutes: int = 4) -> None:
    """Write a night of each subject, given with the number of its family."""
    tree = root / "polysomnography"
    inputs = [
        *channels(["C3", "C4", "A1", "A2"], 128),
        *channels(["LOC", "ROC"], 128, "eog"),
        *channels(["EMG1", "EMG2", "EMG3"], 256, "emg"),
    ]
    for subject, family in families.items():
        words = night(minutes * 2, int(subject))
        stem = f"cfs-visit5-{subject}-famID{family}"
        write_psg(tree / "edfs" / f"{stem}.edf", inputs, words, seed=int(subject))
        for form, content in (("nsrr", nsrr_xml(words)), ("profusion", profusion_xml(words))):
            path = tree / f"annotations-events-{form}" / f"{stem}-{form}.xml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
