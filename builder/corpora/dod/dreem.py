"""DOD-H and DOD-O: 25 healthy people in France, 55 patients with sleep apnoea at Stanford.

A night is ``<uuid>.h5``, whose ``hypnogram`` is the consensus of its scorers. Their own scorings are
published apart, as ``scorer_1/<uuid>.json`` to ``scorer_5/<uuid>.json``, and used if they are
anywhere below the folder of the nights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora.dod import scorers
from psgimg.builder.corpora.reading import listed, matching, score, scoring_of
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Hypnogram, from_scores
from psgimg.builder.recordings.listing import Listing, Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms

EPOCH_S = 30.0
CONSENSUS = "consensus"
HYPNOGRAM = "hypnogram"

NAME = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FILE = re.compile(rf"(?P<recording>{NAME})\.(?P<form>h5|json)", re.IGNORECASE)
SCORER = re.compile(r"scorer_(?P<number>[1-5])", re.IGNORECASE)
DATASET = re.compile(r"dod[-_ ]?(?P<which>[ho])\b.*", re.IGNORECASE)

# The nights of DOD-H, by the first digits of their names: both datasets may be in one folder.
# fmt: off
HEALTHY = frozenset((
    "095d6e40", "0d79f4b1", "119f9726", "14c012bd", "18ede714", "1da3544e", "1fa6c401",
    "25a6b2b0", "37d0da97", "3e842aa8", "5bf0f969", "64959ac4", "67fa8e29", "769df255",
    "7ab8ff5f", "7d778801", "844f68ba", "a25b2296", "a30245e3", "a4568951", "aa160c78",
    "b5d5785d", "bb474ab0", "d3cadb78", "f2a69bdc",
))
# fmt: on


def recordings(which: str, root: Place) -> Iterator[Recording]:
    """Yield the nights of DOD-H (``h``) or DOD-O (``o``) in name order; BuildError if there are none."""
    signals: list[tuple[str, Path]] = []
    lists: dict[tuple[str, str], Path] = {}
    for match, path in matching(root, FILE):
        name, scorer = match["recording"].lower(), SCORER.fullmatch(path.parent.name)
        if match["form"].lower() == "h5":
            if which in _datasets(name, path, root):
                signals.append((name, path))
        elif scorer:
            lists[name, scorer["number"]] = path
    nights = []
    for name, path in signals:
        own = {number: one for (night, number), one in sorted(lists.items()) if night == name}
        nights.append(Recording(f"dod-{which}", name, name, path, {CONSENSUS: path, **own}))
    return listed(nights, root, f"nights of DOD-{which.upper()}, files like <uuid>.h5")


def _datasets(name: str, path: Path, root: Place) -> str:
    """Return the dataset that a night belongs to, ``h`` or ``o``; both if neither can be told."""
    folders = path.relative_to(root.root if isinstance(root, Listing) else root).parts[:-1]
    for folder in reversed(folders):
        if match := DATASET.fullmatch(folder):
            return match["which"].lower()
    return "h" if name.partition("-")[0] in HEALTHY else "ho"


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring; RecordingError if it can't be read."""
    from psgimg.builder.recordings.formats.hdf5_reader import read_integers

    path = scoring_of(recording, scorer)
    codes = read_integers(recording.signal, HYPNOGRAM)
    where = f"{path.name}, {HYPNOGRAM}"
    scorer = scorer or CONSENSUS
    if scorer != CONSENSUS:
        lists = {scorer: scorers.read_list(path), **_lists(recording, scorer)}
        codes, where = [*scorers.cut(scorer, lists, len(codes), recording.recording)], path.name
    scores = [score(str(code), scorers.CODES, where) for code in codes]
    return from_scores(scores, epoch_s=EPOCH_S, scorer=scorer)


def _lists(recording: Recording, but: str) -> dict[str, list[int]]:
    """Return the lists of the other scorers; one that can't be read is missing."""
    lists = {}
    for name, path in recording.scorings.items():
        if name not in (CONSENSUS, but):
            with suppress(RecordingError):  # it is refused where its own stages are needed
                lists[name] = scorers.read_list(path)
    return lists


# A channel's name is that of its electrodes. The eyes are numbered, without a stated side or
# reference; other readers take the first one as the left eye.
CHANNELS = {
    "C3_M2": "C3-M2",
    "C4_M1": "C4-M1",
    "F3_M2": "F3-M2",
    "F4_M1": "F4-M1",
    "O1_M2": "O1-M2",
    "O2_M1": "O2-M1",
    "FP1_M2": "Fp1-M2",
    "FP2_M1": "Fp2-M1",
    "F3_F4": "F3-F4",
    "F3_O1": "F3-O1",
    "F4_O2": "F4-O2",
    "FP1_F3": "Fp1-F3",
    "FP1_O1": "Fp1-O1",
    "FP2_F4": "Fp2-F4",
    "FP2_O2": "Fp2-O2",
    "EOG1": "E1-REF",
    "EOG2": "E2-REF",
    "EMG": "Chin",
    "ECG": "ECG",
}

SCORERS = "https://github.com/Dreem-Organization/dreem-learning-evaluation"

NOTES = (
    "Five people scored each night. The reference is the publisher's consensus: of the four who "
    "agree best with the others on that night, the stage that most of them chose; in a tie, the "
    "stage of the one who agrees best.",
    f"The scorings of the five are published apart; put a copy of {SCORERS} into the folder of the "
    "nights, and label_2 is scorer 1 and votes counts all five. As a member of the consensus, scorer 1 "
    "agrees with it more than with another person; --scorer 1 makes scorer 1 the label and scorer 2 "
    "label_2.",
    "Each night is cut to the epochs that all five had begun and not yet ceased to score.",
    "That EOG1 is the left eye and EOG2 the right one is convention, not stated in the files.",
    "Publications state different licences, MIT and CC BY 4.0, so the corpus counts as restricted.",
    "No signal of this corpus was available when the reader was written, only the scorings of DOD-H.",
)


def _corpus(
    which: str, title: str, mains_hz: float, notes: tuple[str, ...], absent: dict[str, str]
) -> Corpus:
    letter = which.upper()
    return Corpus(
        name=f"dod-{which}",
        title=f"Dreem Open Dataset {letter}: {title}",
        terms=Terms(
            policy=Policy.RESTRICTED,
            licence="not settled: MIT or CC BY 4.0",
            licence_url="https://doi.org/10.5281/zenodo.15900394",
            access=(
                f"Open, without login: dod{which}.zip of https://doi.org/10.5281/zenodo.15900394. The "
                f"scorings of the five scorers: {SCORERS}, to be put into the same folder."
            ),
            references=(
                Reference(
                    "guillot2020",
                    ("Guillot A", "Sauvet F", "During EH", "Thorey V"),
                    "Dreem Open Datasets: multi-scored sleep datasets to compare human and automated "
                    "sleep staging",
                    2020,
                    "IEEE Trans Neural Syst Rehabil Eng",
                    "28",
                    "9",
                    "1955-1965",
                ),
            ),
        ),
        package="h5py",
        mains_hz=mains_hz,
        montage="aasm",
        channels=CHANNELS,
        home=f"dod{which}",
        names=NAME,
        recordings=partial(recordings, which),  # picklable, for worker processes
        read_hypnogram=read_hypnogram,
        scorers=(CONSENSUS, *"12345"),
        consensus=CONSENSUS,
        absent=absent,
        notes=(*NOTES, *notes),
    )


CORPORA = (
    _corpus(
        "h",
        "25 healthy people",
        50.0,
        ("DOD-H has no derivation of an occipital electrode and a mastoid.",),
        {},
    ),
    _corpus(
        "o",
        "55 patients with obstructive sleep apnoea",
        60.0,
        (),
        {
            "5d8e93a5-d26a-436d-bc2c-e9527dc92cbf": (
                "not one of the 55 published nights, and damaged according to other readers"
            )
        },
    ),
)
