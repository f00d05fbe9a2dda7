"""Demo, varied: synthetic nights of people who differ, scored by two who do not always agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from psgimg.builder.corpora.annotations import read_annotated
from psgimg.builder.corpora.reading import listed, matching, scoring_of
from psgimg.builder.corpora.synthetic import (
    sleep_course,
    synthetic_files,
    two_scorers,
    varied_signals,
)
from psgimg.builder.corpora.synthetic.person import AGES, Age, Person, Setup
from psgimg.builder.corpora.synthetic.physiology import CHIN_SFREQ_HZ, SFREQ_HZ
from psgimg.builder.corpora.synthetic.sleep_course import Course
from psgimg.builder.corpora.synthetic.synthetic_files import EPOCH_S, LABELS, TERMS, Channel
from psgimg.builder.progress import SILENT, Progress
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.stages import Stage

if TYPE_CHECKING:
    import numpy.typing as npt

NAME = "demo-varied"
N_SUBJECTS = 32
N_EPOCHS = 200
FILE = re.compile(r"(?P<recording>varied-\d+)-(?:PSG|Hypnogram-(?P<scorer>[12]))\.edf")

RIGHT = ("EEG F4-M1", "EEG C4-M1", "EEG O2-M1")
LEFT = ("EEG F3-M2", "EEG C3-M2", "EEG O1-M2")
OTHERS = ("EOG E1-M2", "EOG E2-M2", "EMG chin", "ECG")
CHANNELS = {
    **{label: label.removeprefix("EEG ") for label in (*RIGHT, *LEFT)},
    "EOG E1-M2": "E1-M2",
    "EOG E2-M2": "E2-M2",
    "EMG chin": "Chin",
    "ECG": "ECG",
}


def write(root: Path, progress: Progress = SILENT, n_subjects: int = N_SUBJECTS) -> None:
    """Write the nights that are missing or incomplete under ``root``, one per subject.

    Any machine writes the same bytes, and nobody changes when people are added.
    """
    root.mkdir(parents=True, exist_ok=True)
    progress.start("generating", n_subjects, "recordings")
    for number in range(1, n_subjects + 1):
        _write_night(root, number)
        progress.advance()


@dataclass(frozen=True)
class Draft:
    """A night before its signals are generated: the sleeper, the course of sleep, and its scorings."""

    age: Age
    person: Person
    setup: Setup
    course: Course
    scores: Mapping[str, list[Stage]]


def draw(number: int) -> Draft:
    """Draw the night of a person, numbered from 1; each number has random streams of its own."""
    of_person, of_course, *of_scorers = _streams(number)
    age = AGES[(number - 1) % len(AGES)]
    person, setup = Person.draw(age, of_person), Setup.draw(of_person)
    course = sleep_course.draw(person, setup, N_EPOCHS * EPOCH_S, of_course)
    scorers = zip(two_scorers.SCORERS.items(), of_scorers, strict=False)
    scores = {name: two_scorers.score(course, scorer, rng) for (name, scorer), rng in scorers}
    return Draft(age, person, setup, course, scores)


def _streams(number: int) -> list[np.random.Generator]:
    """Return the streams of a person, its course, the two scorers, and the signals."""
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(number).spawn(5)]


def _write_night(root: Path, number: int) -> None:
    draft = draw(number)
    labels = (*(LEFT if draft.setup.left else RIGHT), *OTHERS)
    kept = [i for i in range(len(labels)) if i != draft.setup.missing]

    def generate() -> Iterator[npt.NDArray[np.float64]]:
        rng = _streams(number)[-1]
        night = varied_signals.synthesize(draft.course, draft.person, draft.setup, rng)
        rows = (*night.leads_uv, night.chin_uv, night.ecg_mv)
        yield from (rows[i] for i in kept)

    name = f"varied-{number:02d}"
    scorings = {root / f"{name}-Hypnogram-{key}.edf": one for key, one in draft.scores.items()}
    channels = [_channel(labels[i]) for i in kept]
    synthetic_files.write(root / f"{name}-PSG.edf", channels, scorings, generate)


def _channel(label: str) -> Channel:
    if label == "ECG":
        return Channel(label, SFREQ_HZ, "mV", 5.0)
    return Channel(label, CHIN_SFREQ_HZ if label == "EMG chin" else SFREQ_HZ)


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings that ``write`` wrote under ``root``, in name order."""
    signals: dict[str, Path] = {}
    scorings: dict[str, dict[str, Path]] = {}
    for match, path in matching(root, FILE):
        if match["scorer"]:
            scorings.setdefault(match["recording"], {})[match["scorer"]] = path
        else:
            signals[match["recording"]] = path
    found = [
        Recording(NAME, name, name, path, dict(sorted(scorings[name].items())))
        for name, path in signals.items()
        if name in scorings
    ]
    return listed(found, root, "nights of demo-varied, which `build --source demo-varied` writes")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the stages of a recording by one of its scorers."""
    path = scoring_of(recording, scorer)
    return read_annotated(path, recording.signal, LABELS, epoch_s=EPOCH_S, scorer=scorer)


CORPUS = Corpus(
    name=NAME,
    title="psgimg varied demo (synthetic)",
    terms=TERMS,
    mains_hz=50.0,
    montage="aasm",
    channels=CHANNELS,
    home="psgimg-demo-varied",
    names=r"varied-\d+",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    generate=write,
    scorers=tuple(two_scorers.SCORERS),
    notes=(
        "Synthetic: people differ in age, amplitudes, rhythms and artefacts within ranges set by hand, "
        "not fitted to any person.",
        f"Synthetic: a night is compressed to {N_EPOCHS * EPOCH_S // 60} minutes with "
        "three cycles.",
        "Synthetic: the two scorers err at random in ambiguous epochs.",
    ),
)
