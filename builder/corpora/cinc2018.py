"""CinC 2018: the training set of the PhysioNet/CinC Challenge 2018, "You Snooze You Win".

A folder ``training/tr03-0005/`` per person has ``tr03-0005.hea``, ``.mat`` and ``.arousal``, in WFDB
format. Notes of ``.arousal`` mark each change of stage, among the beginnings and ends of events
(``(resp_hypopnea``). Nothing before the first note is scored. Where the last stage ends is not told;
it is taken to last until the end of the signal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from psgimg.builder.citing.reference import PHYSIONET, Reference
from psgimg.builder.corpora.reading import check_runs, listed, matching, score, scoring_of
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage

EPOCH_S = 30.0

# Notes of the 994 scored records; every other one that is not spelt like a stage is an event.
CODES: dict[str, Score] = {
    "W": Stage.W,
    "N1": Stage.N1,
    "N2": Stage.N2,
    "N3": Stage.N3,
    "R": Stage.REM,
}

STAGE = re.compile(r"\w{1,2}|\?|(sleep[ _]?)?stage.*|awake|wake|n?rem[ _]?\d?", re.IGNORECASE)

FILE = re.compile(r"(?P<recording>tr\d{2}-\d{4})\.(?P<form>hea|mat|arousal)", re.IGNORECASE)


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    files = {
        (match["recording"].lower(), match["form"].lower()): path
        for match, path in matching(root, FILE)
    }
    nights = []
    for (name, form), path in files.items():
        if form == "mat":
            scoring = files.get((name, "arousal"))
            header = files.get((name, "hea"), path.with_suffix(".hea"))
            scorings = {"": scoring} if scoring else {}
            nights.append(Recording("cinc2018", name, name, path, scorings, side_files=(header,)))
    return listed(nights, root, "files like tr03-0005.mat")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if it can't be read."""
    from psgimg.builder.recordings.formats.wfdb_reader import open_wfdb

    path = scoring_of(recording, scorer)
    signal = open_wfdb(recording.signal)
    changes = list(_changes(path, float(signal.sfreqs_hz[0])))
    if not changes:
        raise RecordingError("empty scoring", f"{path.name} has no stage; get the file again")
    ends = [*(onset_s for onset_s, _ in changes[1:]), signal.duration_s]
    runs = [
        Event(onset_s, end_s - onset_s, score)
        for (onset_s, score), end_s in zip(changes, ends, strict=True)
    ]
    return from_events(check_runs(runs, EPOCH_S, path.name), epoch_s=EPOCH_S, scorer=scorer)


def _changes(path: Path, sfreq_hz: float) -> Iterator[tuple[float, Score]]:
    """Yield each change of stage: seconds from the first sample, and the stage that begins.

    Parameters
    ----------
    sfreq_hz
        Rate of the signal, by which notes count unless their file states another.
    """
    from psgimg.builder.recordings.formats.wfdb_reader import one_line_errors, require_wfdb

    wfdb = require_wfdb(path)
    with one_line_errors(path, "unreadable scoring"):
        read = wfdb.rdann(str(path.absolute().with_suffix("")), path.suffix[1:])
    for sample, note in zip(read.sample, read.aux_note, strict=True):
        text = note.strip(" \0")
        if text in CODES or STAGE.fullmatch(text):  # an unknown one must not prolong the one before
            yield float(sample) / float(read.fs or sfreq_hz), score(text, CODES, path.name)


CORPUS = Corpus(
    name="cinc2018",
    title="You Snooze You Win: the PhysioNet/CinC Challenge 2018, training set",
    terms=Terms(
        policy=Policy.OPEN,
        licence="ODC-By 1.0",
        licence_url="https://physionet.org/content/challenge-2018/1.0.0/",
        access="Open, without login: https://physionet.org/content/challenge-2018/1.0.0/.",
        references=(
            Reference(
                "ghassemi2018",
                ("Ghassemi MM",),
                "You Snooze, You Win: the PhysioNet/Computing in Cardiology Challenge 2018",
                2018,
                "Computing in Cardiology",
                "45",
                et_al=True,
            ),
            PHYSIONET,
        ),
        version="1.0.0",
    ),
    package="wfdb",
    mains_hz=60.0,
    montage="aasm",
    channels={
        "F3-M2": "F3-M2",
        "F4-M1": "F4-M1",
        "C3-M2": "C3-M2",
        "C4-M1": "C4-M1",
        "O1-M2": "O1-M2",
        "O2-M1": "O2-M1",
        "E1-M2": "E1-M2",
        "Chin1-Chin2": "Chin1-Chin2",
        "ECG": "ECG",
    },
    home="physionet.org/files/challenge-2018/1.0.0",
    names=r"tr\d{2}-\d{4}",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "One eye was recorded, E1.",
        "Nothing before the first mark of a stage is scored; in tr03-0314, tr05-0326 and tr07-0602 "
        "the first marks are lost. The last stage is taken to last until the end of the signal.",
        "The stages of the test set are not published.",
        "No signal of this corpus was available when the reader was written.",
    ),
)
