"""Sleep-EDF Expanded: cassette (SC, two nights at home) and telemetry (ST, placebo and temazepam).

Names are ``SC4ssNE0-PSG.edf`` and ``SC4ssNEx-Hypnogram.edf``, with subject ``ss``, night ``N`` and
the scorer in the eighth character of the hypnogram, so that pairs are matched by their first six
characters. Both the tree of PhysioNet (``sleep-cassette/``, ``sleep-telemetry/``) and the flat
folder of MNE's downloader can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from psgimg.builder.citing.reference import PHYSIONET, Reference
from psgimg.builder.corpora.annotations import read_annotated
from psgimg.builder.corpora.reading import first_of_each, listed, matching, preferred, scoring_of
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage, Unscored

EPOCH_S = 30.0

# Annotation texts of all 197 hypnograms (PhysioNet sleep-edfx 1.0.0). R&K: stage 4 is also N3.
CODES: dict[str, Score] = {
    "Sleep stage W": Stage.W,
    "Sleep stage 1": Stage.N1,
    "Sleep stage 2": Stage.N2,
    "Sleep stage 3": Stage.N3,
    "Sleep stage 4": Stage.N3,
    "Sleep stage R": Stage.REM,
    "Movement time": Unscored.MOVEMENT,
    "Sleep stage ?": Unscored.UNSCORED,
}

FILE = re.compile(
    r"(?P<recording>(?P<subject>S[CT][47]\d\d)\d)[A-Z][A-Z0-9]-(?P<kind>PSG|Hypnogram)\.edf",
    re.IGNORECASE,
)


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    matches = matching(root, FILE)
    hypnograms, rivals = first_of_each(
        (match["recording"].upper(), path)
        for match, path in matches
        if match["kind"].lower() != "psg"
    )
    nights = []
    for match, path in matches:
        name = match["recording"].upper()
        if match["kind"].lower() == "psg":
            scorings, several = preferred([name], hypnograms, rivals)
            subject = match["subject"].upper()
            nights.append(Recording("sleep-edf", subject, name, path, scorings, rivals=several))
    return listed(nights, root, "files like SC4001E0-PSG.edf")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the hypnogram; RecordingError if it can't be read."""
    path = scoring_of(recording, scorer)
    return read_annotated(path, recording.signal, CODES, epoch_s=EPOCH_S, scorer=scorer)


CORPUS = Corpus(
    name="sleep-edf",
    title="Sleep-EDF Database Expanded",
    terms=Terms(
        policy=Policy.OPEN,
        licence="ODC-By 1.0",
        licence_url="https://physionet.org/content/sleep-edfx/1.0.0/",
        access="Open, without login: https://physionet.org/content/sleep-edfx/1.0.0/ (8 GB).",
        references=(
            Reference(
                "kemp2000",
                ("Kemp B", "Zwinderman AH", "Tuk B", "Kamphuisen HAC", "Oberyé JJL"),
                "Analysis of a sleep-dependent neuronal feedback loop: the slow-wave "
                "microcontinuity of the EEG",
                2000,
                "IEEE Trans Biomed Eng",
                "47",
                "9",
                "1185-1194",
            ),
            PHYSIONET,
        ),
        version="1.0.0",
    ),
    mains_hz=50.0,
    montage="sleep-edf",
    channels={
        "EEG Fpz-Cz": "Fpz-Cz",
        "EEG Pz-Oz": "Pz-Oz",
        "EOG horizontal": "EOGh",
        "EMG submental": "Chin",
    },
    home="physionet-sleep-data",
    names=r"S[CT][47]\d\d\d?",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "Scored by the rules of Rechtschaffen and Kales. Stages 3 and 4 of the files are mapped to "
        "N3.",
        "The chin EMG of the SC nights is a rectified envelope at 1 Hz, not a waveform.",
        "SC recordings last about 20 h, most of it wakefulness; the last unscored run extends "
        "beyond the end of the signal.",
        "Some ST hypnograms begin after the signal, and two have gaps.",
    ),
)
