"""HSP: the Human Sleep Project, in the layout of the PhysioNet Challenge 2026.

A night is ``physiological_data/SITE/SUB_ses-N.edf``. Its stages are a signal of another EDF file with
one sample per 30 s: ``stage_expert`` of ``human_annotations/SITE/SUB_ses-N_expert_annotations.edf``, and
``stage_caisr``, by a program, of ``algorithmic_annotations/SITE/SUB_ses-N_caisr_annotations.edf``. The
codes run backwards, from N3 as 1 to wakefulness as 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.hsp import hsp_channels
from psgimg.builder.corpora.reading import first_of_each, listed, matching, score, scoring_of
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf
from psgimg.builder.recordings.hypnogram import Hypnogram, from_scores
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage, Unscored

EPOCH_S = 30
EXPERT, PROGRAM = SCORERS = ("expert", "caisr")

# PhysioNet Challenge 2026, description of the data.
CODES: dict[str, Score] = {
    "5": Stage.W,
    "4": Stage.REM,
    "3": Stage.N1,
    "2": Stage.N2,
    "1": Stage.N3,
    "0": Unscored.UNSCORED,
    "9": Unscored.UNSCORED,
}
ROUNDING = 0.05
"""Greatest distance of a sample from its code: EDF stores 16-bit steps of some range."""

FILE = re.compile(
    rf"(?P<recording>(?P<subject>sub-[a-z0-9]+)_ses-\d+)"
    rf"(?:_(?P<scorer>{'|'.join(SCORERS)})_annotations)?\.edf",
    re.IGNORECASE,
)


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order; BuildError if there are none."""
    matches = matching(root, FILE)
    scorings, rivals = first_of_each(
        ((match["recording"], match["scorer"].lower()), path)
        for match, path in matches
        if match["scorer"]
    )
    nights = []
    for match, path in matches:
        if not match["scorer"]:
            name = match["recording"]
            own = {by: scorings[name, by] for by in SCORERS if (name, by) in scorings}
            several = tuple(rivals[name, by] for by in own if (name, by) in rivals)
            nights.append(Recording("hsp", match["subject"], name, path, own, rivals=several))
    return listed(nights, root, "files like sub-S0001111111111_ses-1.edf")


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if it can't be read."""
    path = scoring_of(recording, scorer)
    by = next(name for name, file in recording.scorings.items() if file == path)
    wanted = [f"stage_{name}" for name in ([by] if by else SCORERS)]  # a file on its own: either
    return from_scores(_scores(path, wanted), epoch_s=float(EPOCH_S), scorer=scorer)


def _scores(path: Path, wanted: Sequence[str]) -> Iterator[Score]:
    """Yield the score of each epoch, from the samples of the only channel with one of some labels."""
    file = edf.open_edf(path)
    places = [i for i, one in enumerate(file.labels) if one.strip().lower() in wanted]
    if len(places) != 1:
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} has {len(places)} channels {' or '.join(wanted)}, not one; its channels "
            f"are {', '.join(file.labels)}; get the file again",
        )
    label = file.labels[places[0]]
    rate_hz = file.sfreqs_hz[places[0]]
    if rate_hz * EPOCH_S != 1 or len(file.segments) != 1:
        raise RecordingError(
            "wrong epoch length",
            f"{path.name}: {label} has {float(rate_hz):g} samples a second in {len(file.segments)} "
            f"segments, not one sample per {EPOCH_S} s without gaps; get the file again",
        )
    for number, value in enumerate(file.read_stated(places[0])):
        nearest = round(float(value))
        code = str(nearest) if abs(value - nearest) <= ROUNDING else f"{value:.3g}"
        yield score(code, CODES, f"{path.name}, {label}, epoch {number}")


CORPUS = Corpus(
    name="hsp",
    title="The Human Sleep Project, training set of the PhysioNet Challenge 2026",
    terms=Terms(
        policy=Policy.RESTRICTED,
        licence="credentialed access, by data use agreement",
        licence_url="https://physionetchallenges.org/2026/",
        access=(
            "By registration and data use agreement of each user: "
            "https://physionetchallenges.org/2026/#data."
        ),
        references=(
            Reference(
                "physionetchallenge2026",
                (),
                "The George B. Moody PhysioNet Challenge 2026",
                publisher="PhysioNet",
                url="https://physionetchallenges.org/2026/",
            ),
        ),
    ),
    mains_hz=hsp_channels.MAINS_HZ,
    montage="aasm",
    channels={},
    home="training_set",
    names=r"sub-[A-Z]\d{4,20}(_ses-\d{1,3})?",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    inputs=hsp_channels.inputs,
    scorers=SCORERS,
    notes=(
        "Labels are the expert's. The second scorer is a program (CAISR), not a person.",
        "The first sample of a scoring is taken to be the epoch with which the signal begins.",
        "Codes run backwards in the files: 5 is W, 4 REM, 3 N1, 2 N2 and 1 N3; 0 and 9 are unscored.",
        "Sites name channels differently; an electrode without a reference is taken as recorded "
        "against one that all such channels of the file share.",
        "All sessions of a person have the same number and stay in one split.",
        "No file of this corpus was available when the reader was written.",
    ),
)
