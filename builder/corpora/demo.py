"""Demo: a corpus of synthetic nights, written as EDF and EDF+ files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from psgimg.builder.corpora.annotations import read_annotated
from psgimg.builder.corpora.reading import scoring_of, walk
from psgimg.builder.corpora.synthetic import synthetic_files
from psgimg.builder.corpora.synthetic.physiology import CHIN_SFREQ_HZ, SFREQ_HZ
from psgimg.builder.corpora.synthetic.synthetic_files import EPOCH_S, LABELS, TERMS, Channel
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import SILENT, Progress
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.stages import Score, Stage, Unscored

if TYPE_CHECKING:
    import numpy.typing as npt

NAME = "demo"
N_SUBJECTS = 8
N_EPOCHS = 200
"""Eight nights of 100 minutes take less than 100 MB; each further epoch takes half a megabyte."""

SIGNAL_SUFFIX = "-PSG.edf"
SCORING_SUFFIX = "-Hypnogram.edf"

CHANNELS = {
    "EEG F4-M1": "F4-M1",
    "EEG C4-M1": "C4-M1",
    "EEG O2-M1": "O2-M1",
    "EOG E1-M2": "E1-M2",
    "EOG E2-M2": "E2-M2",
    "EMG chin": "Chin",
    "ECG": "ECG",
}

FILE_CHANNELS = [
    Channel("ECG", SFREQ_HZ, "mV", 5.0)
    if label == "ECG"
    else Channel(label, CHIN_SFREQ_HZ if label == "EMG chin" else SFREQ_HZ)
    for label in CHANNELS
]

SCRIPT: tuple[tuple[Score, int, int], ...] = (
    (Stage.W, 15, 17),
    (Stage.N1, 7, 8),
    (Stage.N2, 0, 0),
    (Stage.N3, 18, 20),
    (Stage.N2, 0, 0),
    (Stage.N1, 3, 4),
    (Stage.REM, 10, 12),
    (Unscored.MOVEMENT, 1, 1),
    (Stage.W, 3, 4),
    (Stage.N1, 6, 7),
    (Stage.N2, 0, 0),
    (Stage.N3, 22, 24),
    (Stage.N2, 0, 0),
    (Stage.N1, 3, 4),
    (Stage.REM, 20, 22),
    (Stage.W, 2, 3),
    (Stage.N1, 6, 7),
    (Stage.N2, 0, 0),
    (Stage.W, 20, 22),
    (Unscored.UNSCORED, 0, 1),
)
"""Minimum and maximum epochs of each bout; those of N2 share the rest of the night."""

NEIGHBOURS = ({Stage.W, Stage.N1}, {Stage.N1, Stage.N2}, {Stage.N2, Stage.N3})
"""Stages between which sleep may alternate at a transition."""
CHANCE_WAVER = 0.4


def write(root: Path, progress: Progress = SILENT, n_subjects: int = N_SUBJECTS) -> None:
    """Write the nights that are missing or incomplete under ``root``.

    The same machine writes the same bytes each time.

    Parameters
    ----------
    root
        Output folder, created if needed.
    n_subjects
        Number of nights, one per subject.
    """
    root.mkdir(parents=True, exist_ok=True)
    progress.start("generating", n_subjects, "recordings")
    for number in range(1, n_subjects + 1):
        _write_night(root, number)
        progress.advance()


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings that ``write`` wrote under ``root``, in name order."""
    empty = True
    for signal in walk(root):
        if not (signal.name.startswith(f"{NAME}-") and signal.name.endswith(SIGNAL_SUFFIX)):
            continue
        subject = signal.name.removesuffix(SIGNAL_SUFFIX)
        scoring = signal.with_name(subject + SCORING_SUFFIX)
        if scoring.exists():
            empty = False
            yield Recording(NAME, subject, subject, signal, {"": scoring})
    if empty:
        raise BuildError(
            f"{root} has no demo recordings ({NAME}-01{SIGNAL_SUFFIX} and {NAME}-01{SCORING_SUFFIX}); "
            "give the folder that has, or leave out --root, and they are written"
        )


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the stages of a recording from the annotations of its EDF+ file."""
    path = scoring_of(recording, scorer)
    return read_annotated(path, recording.signal, LABELS, epoch_s=EPOCH_S, scorer=scorer)


def _write_night(root: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    scores = draw_scores(rng)

    def generate() -> Iterator[npt.NDArray[np.float32]]:
        from psgimg.builder.corpora.synthetic.synthesis import synthesize

        night = synthesize(scores, rng)
        yield from (*night.leads_uv, night.chin_uv, night.ecg_mv)

    name = f"{NAME}-{number:02d}"
    scorings = {root / (name + SCORING_SUFFIX): scores}
    synthetic_files.write(root / (name + SIGNAL_SUFFIX), FILE_CHANNELS, scorings, generate)


def draw_scores(rng: np.random.Generator) -> list[Score]:
    """Draw one score per epoch: the script, with bouts of random length and varied transitions."""
    lengths = [int(rng.integers(fewest, most + 1)) for _, fewest, most in SCRIPT]
    fills = [i for i, (score, _, _) in enumerate(SCRIPT) if score is Stage.N2]
    least = 6
    left = N_EPOCHS - sum(lengths) - least * len(fills)
    parts = rng.multinomial(left, rng.dirichlet(np.full(len(fills), 4.0)))
    for i, part in zip(fills, parts, strict=True):
        lengths[i] = least + int(part)
    scores = [row[0] for row, length in zip(SCRIPT, lengths, strict=True) for _ in range(length)]
    borders = [i for i in range(1, N_EPOCHS) if {scores[i - 1], scores[i]} in NEIGHBOURS]
    for i in borders:
        if rng.random() < CHANCE_WAVER:
            scores[i - 1], scores[i] = scores[i], scores[i - 1]
    return scores


CORPUS = Corpus(
    name=NAME,
    title="psgimg demo (synthetic)",
    terms=TERMS,
    mains_hz=50.0,
    montage="aasm",
    channels=CHANNELS,
    home="psgimg-demo",
    names=r"demo-\d+",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    generate=write,
    notes=(
        "Synthetic: the signals are computed from the stages, so models perform far better here "
        "than on the sleep of any person.",
        f"Synthetic: a night is compressed to {N_EPOCHS * EPOCH_S // 60} minutes and has more N1, "
        "N3 and REM than a real one.",
    ),
)
