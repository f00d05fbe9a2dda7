"""DCSM: the sleep staging dataset of the Danish Center for Sleep Medicine.

A folder ``tp…`` per subject has ``psg.edf`` and ``hypnogram.ids``, with one line
``start,duration,stage`` in seconds per run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.reading import (
    check_runs,
    listed,
    number,
    read_text,
    score,
    scoring_of,
    walk,
)
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage, Unscored

EPOCH_S = 30.0

# Third field of hypnogram.ids (perslev/U-Time reads the same words). Unscored epochs do not occur
# in the published files; U-Time itself writes them as UNKNOWN.
CODES: dict[str, Score] = {
    "W": Stage.W,
    "N1": Stage.N1,
    "N2": Stage.N2,
    "N3": Stage.N3,
    "REM": Stage.REM,
    "UNKNOWN": Unscored.UNSCORED,
}

FIELDS = ("start", "duration", "stage")
FOLDER = re.compile(r"tp\w+", re.IGNORECASE)


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    nights = []
    for path in walk(root):
        name = path.absolute().parent.name  # absolute: the root may be such a folder itself
        if path.name.lower() == "psg.edf" and FOLDER.fullmatch(name):
            scoring = path.with_name("hypnogram.ids")
            scorings = {"": scoring} if scoring.is_file() else {}
            nights.append(Recording("dcsm", name, name, path, scorings))
    return listed(nights, root, "folders like tp8cbd54f0_4751_… with a psg.edf")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if it can't be read."""
    path = scoring_of(recording, scorer)
    events = list(_events(path))
    return from_events(check_runs(events, EPOCH_S, path.name), epoch_s=EPOCH_S, scorer=scorer)


def _events(path: Path) -> Iterator[Event]:
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        where = f"{path.name}, line {line}"
        fields = [field.strip() for field in text.split(",")]
        if fields == [""]:
            continue
        if len(fields) != len(FIELDS):
            raise RecordingError(
                "unreadable scoring",
                f"{where} has {len(fields)} fields instead of {','.join(FIELDS)}; get the file again",
            )
        stage = score(fields[2], CODES, where)
        yield Event(number(fields[0], where), number(fields[1], where), stage)


CORPUS = Corpus(
    name="dcsm",
    title="DCSM Sleep Staging Dataset (Danish Center for Sleep Medicine)",
    terms=Terms(
        policy=Policy.RESTRICTED,
        licence="not confirmed: see the archive's page",
        licence_url=(
            "https://erda.ku.dk/public/archives/db553715ecbe1f3ac66c1dc569826eef/"
            "published-archive.html"
        ),
        access=(
            "Open download of one zip file: https://erda.ku.dk/public/archives/"
            "db553715ecbe1f3ac66c1dc569826eef/published-archive.html."
        ),
        references=(
            Reference(
                "perslev2021",
                ("Perslev M", "Darkner S", "Kempfner L", "Nikolic M", "Jennum PJ", "Igel C"),
                "U-Sleep: resilient high-frequency sleep staging",
                2021,
                "npj Digital Medicine",
                "4",
                pages="72",
            ),
        ),
    ),
    mains_hz=50.0,
    montage="aasm",
    channels={
        "F3-M2": "F3-M2",
        "F4-M1": "F4-M1",
        "C3-M2": "C3-M2",
        "C4-M1": "C4-M1",
        "O1-M2": "O1-M2",
        "O2-M1": "O2-M1",
        "E1-M2": "E1-M2",
        "E2-M2": "E2-M2",
        "CHIN": "Chin",
        "ECG-II": "ECG",
    },
    home="dcsm_dataset",
    names=r"(?i)tp[0-9a-f_]+",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "The licence could not be confirmed, so the corpus counts as restricted.",
        "Recordings include long periods of wakefulness before and after the night.",
    ),
)
