"""CAP: the Cyclic Alternating Pattern sleep database of the University of Parma.

Files are ``n1.edf`` with ``n1.txt``, an export of RemLogic: some lines about the session, then a table
separated by tabs, with a row for each epoch (``SLEEP-S2``) and for each event (``MCAP-A1``). Times are
those of a clock. The length of the preamble, the column ``Position`` and the signs between hours and
minutes vary between files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from psgimg.builder.citing.reference import PHYSIONET, Reference
from psgimg.builder.corpora.reading import (
    check_runs,
    listed,
    matching,
    number,
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
DAY_S = 86400.0
EARLY_S = 3600.0
"""A scoring that begins up to this before the signal belongs to it, and does not begin a day later."""

# Texts in the column Event; R&K: stage 4 is also N3.
CODES: dict[str, Score] = {
    "SLEEP-S0": Stage.W,
    "SLEEP-S1": Stage.N1,
    "SLEEP-S2": Stage.N2,
    "SLEEP-S3": Stage.N3,
    "SLEEP-S4": Stage.N3,
    "SLEEP-REM": Stage.REM,
    "SLEEP-MT": Unscored.MOVEMENT,
    "SLEEP-UNSCORED": Unscored.UNSCORED,
}
STAGE_PREFIX = "SLEEP-"

FILE = re.compile(r"(?P<recording>[a-z]+\d+)\.(?P<form>edf|txt)", re.IGNORECASE)
FIRST_COLUMN = "sleep stage"
COLUMNS = {"time": "time", "event": "event", "duration": "duration"}
"""Column → beginning of its name in the files: ``Time [hh:mm:ss]``, ``Duration[s]``."""

TIME = re.compile(r"(?P<hour>[01]?\d|2[0-3])[:.](?P<minute>[0-5]\d)[:.](?P<second>[0-5]\d)")


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    matches = matching(root, FILE)
    scorings = {
        match["recording"].lower(): path
        for match, path in matches
        if match["form"].lower() == "txt"
    }
    nights = []
    for match, path in matches:
        name = match["recording"].lower()
        if match["form"].lower() == "edf":
            own = {"": scorings[name]} if name in scorings else {}
            nights.append(Recording("cap", name, name, path, own))
    return listed(nights, root, "files like n1.edf")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if it can't be read or does not begin near the signal."""
    from psgimg.builder.recordings import edf  # NumPy; listing corpora must not load it

    path = scoring_of(recording, scorer)
    start = edf.start_datetime(recording.signal)
    start_s = 3600.0 * start.hour + 60.0 * start.minute + start.second + start.microsecond / 1e6
    events = list(_events(path, start_s))
    if not events:
        raise RecordingError("empty scoring", f"{path.name} has no stage; get the file again")
    return from_events(check_runs(events, EPOCH_S, path.name), epoch_s=EPOCH_S, scorer=scorer)


def _events(path: Path, start_s: float) -> Iterator[Event]:
    """Yield the epochs, with onsets from a signal that starts at a time of the day in seconds."""
    lines = read_text(path).splitlines()
    first = next(
        (i for i, line in enumerate(lines) if _cells(line)[0].lower() == FIRST_COLUMN), None
    )
    if first is None:
        raise RecordingError(
            "unreadable scoring", f"{path.name} has no line with Sleep Stage; get the file again"
        )
    place = _places(_cells(lines[first]), path)
    not_before_s = -EARLY_S
    for i, line in enumerate(lines[first + 1 :], start=first + 2):
        cells, where = _cells(line), f"{path.name}, line {i}"
        if cells == [""]:
            continue
        if len(cells) <= max(place.values()):
            raise RecordingError("unreadable scoring", f"{where} is incomplete; get the file again")
        text = cells[place["event"]].upper()
        if not text.startswith(STAGE_PREFIX):
            continue
        onset_s = _after(_clock_s(cells[place["time"]], where) - start_s, not_before_s)
        not_before_s = onset_s - DAY_S / 2  # rows may be out of order, but not by half a day
        stage = score(text, CODES, where)
        yield Event(onset_s, number(cells[place["duration"]], where), stage)


def _places(names: list[str], path: Path) -> dict[str, int]:
    found = {
        column: i
        for column, beginning in COLUMNS.items()
        for i, name in enumerate(names)
        if name.lower().startswith(beginning)
    }
    if missing := sorted(set(COLUMNS) - set(found)):
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} has no column {', '.join(missing)}; get the file again",
        )
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _clock_s(text: str, where: str) -> float:
    match = TIME.fullmatch(text)
    if match is None:
        raise RecordingError(
            "unreadable scoring",
            f"{where} has {text[:20]!r}, not a time of day; get the file again",
        )
    return 3600.0 * int(match["hour"]) + 60.0 * int(match["minute"]) + float(match["second"])


def _after(onset_s: float, not_before_s: float) -> float:
    """Return a time of day on the first day on which it is not before another time."""
    while onset_s < not_before_s:
        onset_s += DAY_S
    return onset_s


def _channels() -> dict[str, str]:
    """Return the labels of the 108 files that record EEG, eyes, chin and heart."""
    derived = {
        "C3-A2": "C3-M2", "C3A2": "C3-M2", "C4-A1": "C4-M1", "C4A1": "C4-M1", "F3A2": "F3-M2",
        "F4A1": "F4-M1", "O1A2": "O1-M2", "O2-A1": "O2-M1", "O2A1": "O2-M1", "LOC-A1": "E1-M1",
        "ROC-A2": "E2-M2", "ROC-LOC": "E2-E1", "LOC-ROC": "E1-E2", "EMG1-EMG2": "Chin1-Chin2",
        "EMG-EMG": "Chin", "EMG": "Chin", "ECG1-ECG2": "ECG1-ECG2", "ECG": "ECG", "EKG": "ECG",
    }  # fmt: skip
    bipolar = ("C3-P3", "C4-P4", "F3-C3", "F4-C4", "P3-O1", "P4-O2", "Fp1-F3", "Fp2-F4")
    alone = {
        "C3": "C3", "C4": "C4", "F3": "F3", "F4": "F4", "O1": "O1", "O2": "O2", "A1": "M1",
        "A2": "M2", "LOC": "E1", "ROC": "E2", "EOG-L": "E1", "EOG-R": "E2", "EOG sin": "E1",
        "EOG dx": "E2", "CHIN1": "Chin1", "CHIN2": "Chin2", "EMG1": "Chin1", "EMG2": "Chin2",
        "ECG1": "ECG1", "ECG2": "ECG2",
    }  # fmt: skip
    return {
        **derived,
        **{name: name for name in bipolar},
        **{label: f"{electrode}-REF" for label, electrode in alone.items()},
    }


CORPUS = Corpus(
    name="cap",
    title="CAP Sleep Database",
    terms=Terms(
        policy=Policy.OPEN,
        licence="ODC-By 1.0",
        licence_url="https://physionet.org/content/capslpdb/1.0.0/",
        access="Open, without login: https://physionet.org/content/capslpdb/1.0.0/.",
        references=(
            Reference(
                "terzano2001",
                ("Terzano MG",),
                "Atlas, rules, and recording techniques for the scoring of cyclic alternating pattern "
                "(CAP) in human sleep",
                2001,
                "Sleep Med",
                "2",
                "6",
                "537-553",
                et_al=True,
            ),
            PHYSIONET,
        ),
        version="1.0.0",
    ),
    mains_hz=50.0,
    montage="cap",
    channels=_channels(),
    home="physionet.org/files/capslpdb/1.0.0",
    names=r"[a-z]+\d+",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "Scored by the rules of Rechtschaffen and Kales. Stages 3 and 4 of the files are mapped to "
        "N3.",
        "Most people are patients, of nocturnal frontal lobe epilepsy above all.",
        "Derivations and sampling rates differ between recordings; both eyes are one lane, their "
        "difference as most nights have recorded it, or else the left eye.",
        "No signal of this corpus was available when the reader was written.",
    ),
)
