"""Nights to review: a short recording, and the folder that `psgimg stage` would write of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import edfio
import numpy as np
from psgimg.builder import atomic_file
from psgimg.builder.recordings.montage import DEFAULT_MONTAGE
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.unscored_night import Grid
from psgimg.finetune.staging import hypnogram_files
from psgimg.finetune.staging.stage import ANNOTATIONS, FIGURES, TABLE
from psgimg.finetune.staging.staged_night import StagedNight
from tiny_edf import START, Channel, discontinuous, write_psg

CHANNELS = (
    Channel("EEG F4-M1", 100),
    Channel("EEG C4-M1", 100),
    Channel("EOG E1-M2", 100, "eog"),
    Channel("EMG chin", 100, "emg"),
)
WORDS = [*"WWW112233RRW"]
STAGES = [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0]
DOUBTED = (4, 9)
"""Epochs of which the model is not sure."""


def recipe(style="paper"):
    return Recipe(load_montage(DEFAULT_MONTAGE), load_style(style))


def write_recording(path: Path, *, words=WORDS, gap_at_s: int = 0) -> Path:
    """Write a night; with a gap of a minute after ``gap_at_s`` seconds if that is not 0."""
    write_psg(path, CHANNELS, words)
    if gap_at_s:
        plain = edfio.read_edf(path)
        times = {"recording": plain.recording, "starttime": plain.starttime}
        notes = [edfio.EdfAnnotation(0, None, "x")]
        edfio.Edf(list(plain.signals), annotations=notes, **times).write(path)
        discontinuous(path, {gap_at_s: gap_at_s + 60.0})
    return path


def write_staged(recording: Path, *, stages=STAGES, name: str = "") -> Path:
    """Write a folder as `psgimg stage` does, of a model that is rather sure of some stages."""
    folder = recording.with_name(f"{name or recording.stem}-stages")
    folder.mkdir()
    probabilities = np.full((len(stages), 5), np.nan)
    for epoch, stage in enumerate(stages):
        if stage >= 0:
            sure = 0.5 if epoch in DOUBTED else 0.9
            probabilities[epoch] = (1 - sure) / 4
            probabilities[epoch, stage] = sure
    night = StagedNight(
        recording.name, START, probabilities, None, None, 0.7, {}, grid=Grid.regular(len(stages))
    )
    hypnogram_files.write_table(folder / TABLE, night)
    hypnogram_files.write_annotations(folder / ANNOTATIONS, night)
    facts = {
        "psgimg": "0",
        "night": recording.name,
        "signal": atomic_file.sha256(recording),
        "recording": os.path.relpath(recording, folder),
        "model": "a model",
        "staged_by": "a model, from pictures",
        "reads": "pictures",
        "recipe": recipe().to_dict(),
        "recipe_hash": recipe().hash,
        "channels": {},
        "grid": {"of": "recording", "epoch_s": 30.0, "first_s": 0.0},
        "mains_hz": 50.0,
        "lights_off_s": None,
        "lights_on_s": None,
        "review_below": 0.7,
        "files": {one: atomic_file.sha256(folder / one) for one in (TABLE, ANNOTATIONS)},
    }
    (folder / FIGURES).write_text(json.dumps(facts))
    return folder
