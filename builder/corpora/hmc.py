"""HMC: the Haaglanden Medisch Centrum sleep staging database.

Files are ``recordings/SNnnn.edf`` with ``SNnnn_sleepscoring.txt`` and, with the same scoring,
``SNnnn_sleepscoring.edf``. The text file is preferred: its column ``Recording onset`` counts from
the signal's first sample, independently of clock times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from psgimg.builder.citing.reference import PHYSIONET, Reference
from psgimg.builder.corpora.annotations import is_stage, read_annotated
from psgimg.builder.corpora.reading import (
    check_runs,
    fallback,
    first_of_each,
    listed,
    matching,
    number,
    preferred,
    read_text,
    score,
    scoring_of,
)
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage, Unscored

EPOCH_S = 30.0

# Annotation texts of hmc-sleep-staging 1.1; every other row is an event (`Lights off@@EEG F4-A1`).
CODES: dict[str, Score] = {
    "Sleep stage W": Stage.W,
    "Sleep stage N1": Stage.N1,
    "Sleep stage N2": Stage.N2,
    "Sleep stage N3": Stage.N3,
    "Sleep stage R": Stage.REM,
    "Sleep stage ?": Unscored.UNSCORED,
}

COLUMNS = ("Recording onset", "Duration", "Annotation")
FILE = re.compile(
    r"(?P<recording>SN\d{3})(?:_sleepscoring\.(?P<form>edf|txt)|\.edf)", re.IGNORECASE
)

FORMS = ("txt", "edf")
"""Forms of the scoring, the preferred one first."""


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    matches = matching(root, FILE)
    scorings, rivals = first_of_each(
        ((match["recording"].upper(), match["form"].lower()), path)
        for match, path in matches
        if match["form"]
    )
    nights = []
    for match, path in matches:
        name = match["recording"].upper()
        if not match["form"]:
            own, several = preferred(((name, form) for form in FORMS), scorings, rivals)
            nights.append(Recording("hmc", name, name, path, own, rivals=several))
    return listed(nights, root, "files like SN001.edf")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if it can't be read."""
    path = scoring_of(recording, scorer)
    if path.suffix.lower() == ".edf":
        hypnogram = read_annotated(path, recording.signal, CODES, epoch_s=EPOCH_S, scorer=scorer)
        return fallback(hypnogram, "its EDF form", "txt form")
    events = list(_events(path))
    if not events:
        raise RecordingError("empty scoring", f"{path.name} has no stage; get the file again")
    return from_events(check_runs(events, EPOCH_S, path.name), epoch_s=EPOCH_S, scorer=scorer)


def _events(path: Path) -> Iterator[Event]:
    rows = ([cell.strip() for cell in line.split(",")] for line in read_text(path).splitlines())
    header = next(rows)
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} has no column {', '.join(missing)} in its first line; get the file again",
        )
    onset, duration, text = (header.index(column) for column in COLUMNS)
    for line, row in enumerate(rows, start=2):
        where = f"{path.name}, line {line}"
        if row == [""]:
            continue
        if len(row) <= max(onset, duration, text):
            raise RecordingError("unreadable scoring", f"{where} is incomplete; get the file again")
        if row[text] in CODES or is_stage(row[text]):
            stage = score(row[text], CODES, where)
            yield Event(number(row[onset], where), number(row[duration], where), stage)


CORPUS = Corpus(
    name="hmc",
    title="Haaglanden Medisch Centrum sleep staging database",
    terms=Terms(
        policy=Policy.OPEN,
        licence="CC BY 4.0",
        licence_url="https://physionet.org/content/hmc-sleep-staging/1.1/",
        access="Open, without login: https://physionet.org/content/hmc-sleep-staging/1.1/.",
        references=(
            Reference(
                "alvarezestevez2021",
                ("Alvarez-Estevez D", "Rijsman RM"),
                "Inter-database validation of a deep learning approach for automatic sleep scoring",
                2021,
                "PLoS ONE",
                "16",
                "8",
                "e0256111",
            ),
            Reference(
                "hmc-sleep-staging",
                ("Alvarez-Estevez D", "Rijsman RM"),
                "Haaglanden Medisch Centrum sleep staging database",
                publisher="PhysioNet",
                version="1.1",
                doi="10.13026/t79q-fr32",
            ),
            PHYSIONET,
        ),
        version="1.1",
    ),
    mains_hz=50.0,
    montage="aasm",
    # hmc-sleep-staging 1.1, description of the channels: both eyes are against M2.
    channels={
        "EEG F4-M1": "F4-M1",
        "EEG C4-M1": "C4-M1",
        "EEG O2-M1": "O2-M1",
        "EEG C3-M2": "C3-M2",
        "EOG E1-M2": "E1-M2",
        "EOG E2-M2": "E2-M2",
        "EMG chin": "Chin",
        "ECG": "ECG",
    },
    home="physionet.org/files/hmc-sleep-staging/1.1",
    names=r"SN\d{3}",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "Each night was scored by one technician.",
        "Scoring begins a minute or more after the signal.",
    ),
)
