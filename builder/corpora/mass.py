"""MASS: the Montreal Archive of Sleep Studies, cohort 1, subsets SS1 to SS5.

Files are ``01-0S-NNNN PSG.edf`` with ``01-0S-NNNN Base.edf`` (older releases: ``Annotations.edf``),
an EDF+ file with annotations only. Some mirrors replace the space by an underscore. Subsets may be
in separate folders or in one: the subset is part of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.annotations import read_annotated
from psgimg.builder.corpora.reading import (
    fallback,
    first_of_each,
    listed,
    matching,
    preferred,
    scoring_of,
)
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage, Unscored

# SS1 and SS3 were scored by the AASM rules, the others by R&K on 20-s epochs
# (pquochuy/xsleepnet, nicolasigor/Sleep-EEG-Event-Detector).
EPOCH_S: dict[str, float] = {"1": 30.0, "2": 20.0, "3": 30.0, "4": 20.0, "5": 20.0}

CODES: dict[str, Score] = {
    "Sleep stage W": Stage.W,
    "Sleep stage 1": Stage.N1,
    "Sleep stage 2": Stage.N2,
    "Sleep stage 3": Stage.N3,
    "Sleep stage 4": Stage.N3,
    "Sleep stage R": Stage.REM,
    "Sleep stage ?": Unscored.UNSCORED,
}

FILE = re.compile(
    r"(?P<recording>01-0(?P<subset>[1-5])-\d{4})[ _]+(?P<kind>PSG|Base|Annotations)\.edf",
    re.IGNORECASE,
)
SCORINGS = ("base", "annotations")
"""Kinds of scoring file, the newer one first."""


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    matches = matching(root, FILE)
    files, rivals = first_of_each(
        ((match["recording"], match["kind"].lower()), path) for match, path in matches
    )
    nights = []
    for match, path in matches:
        name = match["recording"]
        if match["kind"].lower() == "psg":
            scorings, several = preferred(((name, kind) for kind in SCORINGS), files, rivals)
            nights.append(Recording("mass", name, name, path, scorings, rivals=several))
    return listed(nights, root, 'files like "01-01-0001 PSG.edf"')


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring, on epochs of 20 s or 30 s by subset; RecordingError if it can't be read."""
    path = scoring_of(recording, scorer)
    epoch_s = EPOCH_S[recording.recording[4]]
    hypnogram = read_annotated(path, recording.signal, CODES, epoch_s=epoch_s, scorer=scorer)
    if path.stem.lower().endswith("annotations"):
        return fallback(hypnogram, "the Annotations file of older releases", "Base file")
    return hypnogram


def _channels() -> dict[str, str]:
    """Return the labels of all subsets, against computed (CLE) or recorded (LER) linked ears."""
    channels = {
        # The labels of EOG and chin state no reference, and sources disagree on it (linked ears;
        # crossed ears). It is that of the amplifier, common to all: REF states no more than that.
        "EOG Left Horiz": "E1-REF",
        "EOG Right Horiz": "E2-REF",
        "EMG Chin1": "Chin1-REF",
        "EMG Chin2": "Chin2-REF",
        "EMG Chin3": "Chin3-REF",
        "EMG Chin": "Chin",  # SS2 and SS4: one bipolar input
        "ECG ECGI": "ECG",
        "ECG I": "ECG",
    }
    for reference in ("CLE", "LER"):
        for electrode in ("F3", "F4", "C3", "C4", "O1", "O2", "Fz", "Cz", "Pz", "Oz", "Fpz"):
            channels[f"EEG {electrode}-{reference}"] = f"{electrode}-{reference}"
        # Only one ear is stored, mostly A2: it gives C3-M2 if the reference is CLE.
        channels[f"EEG A1-{reference}"] = f"M1-{reference}"
        channels[f"EEG A2-{reference}"] = f"M2-{reference}"
    return channels


CORPUS = Corpus(
    name="mass",
    title="Montreal Archive of Sleep Studies, cohort 1 (SS1 to SS5)",
    terms=Terms(
        policy=Policy.RESTRICTED,
        licence="restricted access, by application",
        licence_url="https://doi.org/10.5683/SP3/9MYUCS",
        access=(
            "Application by each user, with ethics approval, through Borealis: "
            "https://doi.org/10.5683/SP3/9MYUCS."
        ),
        references=(
            Reference(
                "oreilly2014",
                ("O'Reilly C", "Gosselin N", "Carrier J", "Nielsen T"),
                "Montreal Archive of Sleep Studies: an open-access resource for instrument "
                "benchmarking and exploratory research",
                2014,
                "J Sleep Res",
                "23",
                "6",
                "628-635",
            ),
        ),
    ),
    mains_hz=60.0,
    montage="aasm",
    channels=_channels(),
    home="MASS",
    names=r"01-0[1-5]-\d{4}",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "SS1 and SS3 are scored by the AASM rules on 30-s epochs; SS2, SS4 and SS5 by the rules of "
        "Rechtschaffen and Kales on 20-s epochs, whose stages 3 and 4 are mapped to N3.",
        "Depending on the recording, the EEG reference is recorded (LER) or computed (CLE) linked "
        "ears; if an ear is stored as well, lanes are referenced to it where it serves all of them.",
        "Scoring begins after the signal, and may have gaps.",
    ),
)
