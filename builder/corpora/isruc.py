"""ISRUC-Sleep: subgroup I (100 patients), II (8 patients, two nights), III (10 healthy people).

The archives unpack to ``subgroupI/8/8.rec``, ``subgroupII/3/1/1.rec`` (subject 3, night 1) and
``subgroupIII/1/1.rec``, next to ``8_1.txt`` and ``8_2.txt`` (and ``.xlsx``) of two experts; some
unpackers add another folder with the same number. ``.rec`` files are EDF.

Expert 1 is the reference, as in most papers; a night without a scoring by expert 1 is set aside. The text file has the stages; the table next to it, if
present, tells which of its zeros are unscored rather than W.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from psgimg.builder.citing.reference import Reference
from psgimg.builder.corpora import isruc_table
from psgimg.builder.corpora.reading import fallback, listed, read_text, score, scoring_of, walk
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.hypnogram import Hypnogram, from_scores
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Corpus, Policy, Recording, Terms
from psgimg.builder.stages import Score, Stage, Unscored

EPOCH_S = 30.0
EXPERTS = ("1", "2")
NO_TABLE = "unscored epochs may count as W, as there is no xlsx table beside the expert's txt file"

# Text: one number per line. 5 is REM; 4 does not occur, as the AASM has one deep stage.
CODES: dict[str, Score] = {
    "0": Stage.W,
    "1": Stage.N1,
    "2": Stage.N2,
    "3": Stage.N3,
    "5": Stage.REM,
}

SIGNAL = re.compile(r"(?P<number>\d{1,3})\.(?:rec|edf)", re.IGNORECASE)
SUBGROUP = re.compile(r"(?:isruc|(?:sub)?group)[-_ a-z]*?(?P<which>III|II|I|3|2|1)", re.IGNORECASE)
NUMBERS = {"1": "I", "2": "II", "3": "III"}


def recordings(root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order (``I-008``, ``II-003-1``, ``III-001``).

    Raises
    ------
    BuildError
        If there are none, or no file is in a folder of a subgroup.
    """
    signals = [path for path in walk(root) if SIGNAL.fullmatch(path.name)]
    # A renamed copy (some EDF readers require the suffix) is the same recording.
    originals = {path.with_suffix("") for path in signals if path.suffix.lower() == ".rec"}
    nights: list[Recording] = []
    astray: dict[Path, BuildError] = {}
    for path in signals:
        if path.suffix.lower() == ".rec" or path.with_suffix("") not in originals:
            try:
                nights.append(_recording(path))
            except BuildError as error:
                astray[path] = error
    if astray and not nights:
        raise next(iter(astray.values()))
    # A misplaced file is listed without a scoring, so that the build sets it aside and reports it.
    strays = (
        Recording("isruc", f"astray-{p.stem}", f"astray-{p.parent.name}-{p.stem}", p, {})
        for p in astray
    )
    return listed([*nights, *strays], root, "files like subgroupI/1/1.rec")


def _recording(signal: Path) -> Recording:
    subgroup, folders = _place(signal)
    file_number = int(signal.stem)
    if subgroup == "II":
        # <subject>/<night>/<night>.rec, or with repeated folders: the outermost is the subject.
        fits = bool(folders)
        subject = f"II-{folders[0]:03d}" if fits else ""
        name = f"{subject}-{file_number}"
    else:
        fits = all(folder == file_number for folder in folders)
        subject = name = f"{subgroup}-{file_number:03d}"
    if not fits:
        raise BuildError(
            f"{signal} is misplaced for a recording of subgroup {subgroup}; move it to "
            f"{'<subject>/<night>/<night>.rec' if subgroup == 'II' else '<subject>/<subject>.rec'}"
        )
    scorings = ((expert, _scoring(signal, expert)) for expert in EXPERTS)
    tables = (signal.with_name(f"{signal.stem}_{expert}.xlsx") for expert in EXPERTS)
    return Recording(
        "isruc",
        subject,
        name,
        signal,
        {expert: path for expert, path in scorings if path},
        side_files=tuple(path for path in tables if path.is_file()),
    )


def _place(signal: Path) -> tuple[str, list[int]]:
    """Return the subgroup, and the numbered folders between it and the file, outermost first."""
    folders: list[int] = []
    for folder in signal.absolute().parents:
        if folder.name.isdecimal():
            folders.insert(0, int(folder.name))
            continue
        match = SUBGROUP.fullmatch(folder.name)
        if match:
            return NUMBERS.get(match["which"], match["which"].upper()), folders
    raise BuildError(
        f"{signal} is in no subgroup; keep the archive's folders subgroupI, subgroupII and "
        "subgroupIII, because their numbers overlap"
    )


def _scoring(signal: Path, expert: str) -> Path | None:
    text = signal.with_name(f"{signal.stem}_{expert}.txt")
    return next((path for path in (text, text.with_suffix(".xlsx")) if path.is_file()), None)


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read an expert's scoring.

    Raises
    ------
    RecordingError
        If it is missing or can't be read.
    """
    path = scoring_of(recording, scorer)
    if path.suffix.lower() == ".xlsx":
        scores = isruc_table.scores(isruc_table.stages(path), path.name)
        hypnogram = from_scores(scores, epoch_s=EPOCH_S, scorer=scorer)
        return fallback(hypnogram, "the expert's xlsx table", "txt file of the same expert")
    scores = _read_codes(path)
    table = path.with_suffix(".xlsx")
    notes = () if table.is_file() else (NO_TABLE,)
    if not notes:
        for epoch, stage in isruc_table.stages(table).items():
            # If the table has no stage, the number in the text file is only a placeholder.
            if stage in isruc_table.WITHOUT_STAGE and epoch < len(scores):
                scores[epoch] = Unscored.UNSCORED
    return replace(from_scores(scores, epoch_s=EPOCH_S, scorer=scorer), notes=notes)


def _read_codes(path: Path) -> list[Score]:
    # Blank lines at the end are no epochs; one in between would shift all later epochs.
    lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    return [score(code, CODES, f"{path.name}, line {i}") for i, code in enumerate(lines, start=1)]


# Labels of all recordings of subgroups I and III (DorsaAbbasii/ISRUC-Sleep-Stage-Classification).
# X1 (`24` in 32 recordings) is the chin, X2 (`25`) the ECG. I/40 is monopolar: against REF.
CHANNELS: dict[str, str] = {
    "F3-A2": "F3-M2",
    "F4-A1": "F4-M1",
    "C3-A2": "C3-M2",
    "C4-A1": "C4-M1",
    "O1-A2": "O1-M2",
    "O2-A1": "O2-M1",
    "LOC-A2": "E1-M2",
    "ROC-A1": "E2-M1",
    "F3-M2": "F3-M2",
    "F4-M1": "F4-M1",
    "C3-M2": "C3-M2",
    "C4-M1": "C4-M1",
    "O1-M2": "O1-M2",
    "O2-M1": "O2-M1",
    "E1-M2": "E1-M2",
    "E2-M1": "E2-M1",
    "F3": "F3-REF",
    "F4": "F4-REF",
    "C3": "C3-REF",
    "C4": "C4-REF",
    "O1": "O1-REF",
    "O2": "O2-REF",
    "LOC": "E1-REF",
    "ROC": "E2-REF",
    "A1": "M1-REF",
    "A2": "M2-REF",
    "X1": "Chin",
    "24": "Chin",
    "X2": "ECG",
    "25": "ECG",
}

CORPUS = Corpus(
    name="isruc",
    title="ISRUC-Sleep, subgroups I to III",
    terms=Terms(
        policy=Policy.RESTRICTED,
        licence="none stated",
        licence_url="https://sleeptight.isr.uc.pt/",
        access=(
            "Free download of one archive per subject, without login: "
            "https://sleeptight.isr.uc.pt/. "
            "Unpack each subgroup into its own folder (subgroupI, subgroupII, subgroupIII)."
        ),
        references=(
            Reference(
                "khalighi2016",
                ("Khalighi S", "Sousa T", "Santos JM", "Nunes U"),
                "ISRUC-Sleep: a comprehensive public dataset for sleep researchers",
                2016,
                "Comput Methods Programs Biomed",
                "124",
                pages="180-192",
            ),
        ),
    ),
    mains_hz=50.0,
    montage="aasm",
    channels=CHANNELS,
    home="ISRUC-Sleep",
    scorers=EXPERTS,
    names=r"I{1,3}-\d{3}(-\d)?",
    recordings=recordings,
    read_hypnogram=read_hypnogram,
    notes=(
        "No licence is stated, so the corpus counts as restricted.",
        "Two experts scored each night; expert 1 is the reference. A night without the scoring of "
        "expert 1 is set aside; expert 2 gives label_2 only, unless --scorer 2 is given for all nights.",
        "The text files write unscored epochs as 0; psgimg can distinguish them from W only if the "
        "expert's xlsx file is in the same folder.",
        "That X1 (24) is the chin EMG and X2 (25) the ECG is convention, not stated in the files.",
        "Recording I-008 has no frontal EEG; I-040 is recorded against a common reference.",
    ),
)
