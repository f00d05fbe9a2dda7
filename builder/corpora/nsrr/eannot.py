"""Eannot: read Luna's ``.eannot`` scorings, one stage per line and 30 s from the signal's start."""

from __future__ import annotations

from psgimg.builder.corpora.reading import read_text, score, scoring_of
from psgimg.builder.recordings.hypnogram import Hypnogram, from_scores
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score, Stage, Unscored

# The Luna manual (annotations, "eannot files") lists these names of stages, in any case; the
# corpus's documentation (nsrr/wsc-documentation) shows `wake, N1, N2, N3, REM`.
CODES: dict[str, Score] = {
    "w": Stage.W,
    "wake": Stage.W,
    "n1": Stage.N1,
    "nrem1": Stage.N1,
    "n2": Stage.N2,
    "nrem2": Stage.N2,
    "n3": Stage.N3,
    "nrem3": Stage.N3,
    "n4": Stage.N3,
    "nrem4": Stage.N3,
    "r": Stage.REM,
    "rem": Stage.REM,
    "m": Unscored.MOVEMENT,
    "movement": Unscored.MOVEMENT,
    "?": Unscored.UNSCORED,
    "unscored": Unscored.UNSCORED,
    "unknown": Unscored.UNSCORED,
    "l": Unscored.UNSCORED,  # lights on
}


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if the file can't be read or has an unknown stage."""
    path = scoring_of(recording, scorer)
    lines = read_text(path).strip().splitlines()
    scores = [
        score(line.strip().lower(), CODES, f"{path.name}, line {number}")
        for number, line in enumerate(lines, start=1)
    ]
    return from_scores(scores, scorer=scorer)
