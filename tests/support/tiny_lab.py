"""A laboratory's own recordings, and the YAML file that describes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tiny_edf import Channel, channels, night, runs, write_psg

WORDS = {"W": "Wake", "1": "S1", "2": "S2", "3": "S3", "4": "S4", "R": "REM", "M": "MT", "?": "?"}
STAGES = {
    "Wake": "W",
    "S1": "N1",
    "S2": "N2",
    "S3": "N3",
    "S4": "N3",
    "REM": "REM",
    "MT": "movement",
    "?": "unscored",
}
INPUTS: list[Channel] = [
    *channels(["EEG C4-A1", "EEG C3-A2"], 128),
    *channels(["EOG left", "EOG right"], 128, "eog"),
    *channels(["EMG submental"], 128, "emg"),
]
DESCRIPTION: dict[str, Any] = {
    "name": "my-lab",
    "title": "Nights of the sleep laboratory",
    "root": "recordings",
    "recordings": "{subject}/{recording}.edf",
    "scoring": {"format": "csv", "file": "{subject}/{recording}.csv"},
    "stages": STAGES,
    "channels": {
        "EEG C4-A1": "C4-M1",
        "EEG C3-A2": "C3-M2",
        "EOG left": "E1-M2",
        "EOG right": "E2-M1",
        "EMG submental": "Chin",
    },
    "mains_hz": 50,
    "montage": "central",
    "terms": {
        "licence": "internal use",
        "licence_url": "https://sleep.example.org/terms",
        "access": "Write to data@sleep.example.org.",
        "citation": "Sleep laboratory. Nights of 2024.",
    },
}


def describe(path: Path, **changes: Any) -> Path:
    """Write a corpus file with some keys changed, or left out where they are None."""
    values = {key: value for key, value in (DESCRIPTION | changes).items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def write_lab(
    root: Path, n_subjects: int = 2, n_nights: int = 1, minutes: int = 10
) -> dict[str, list[str]]:
    """Write nights as ``P001/night1.edf``, each with a table of stages; words by recording."""
    found = {}
    for subject in range(1, n_subjects + 1):
        for number in range(1, n_nights + 1):
            words = night(minutes * 2, subject * 10 + number, odd="?M")
            signal = root / f"P{subject:03d}" / f"night{number}.edf"
            write_psg(signal, INPUTS, words, seed=subject * 10 + number)
            lines = [
                f"{onset:g},{length:g},{WORDS[word]}" for onset, length, word in runs(words, 30)
            ]
            signal.with_suffix(".csv").write_text(
                "\n".join(["onset,duration,stage", *lines]) + "\n"
            )
            found[f"P{subject:03d}-night{number}"] = words
    return found
