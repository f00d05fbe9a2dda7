"""NSRR XML: read the two annotation formats of the National Sleep Research Resource.

Each recording of an NSRR corpus has two exports of one scoring: that of Compumedics Profusion (one
code per epoch), and its translation into NSRR's own XML (runs with onset and duration). A legacy
form of the latter named stages by an ontology and lacked the last run of the night
(nsrr/edf-editor-translator, CHANGELOG).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psgimg.builder.corpora.reading import check_runs, number, read_bytes, score
from psgimg.builder.errors import RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events, from_scores
from psgimg.builder.stages import Score, Stage, Unscored

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

EPOCH_S = 30.0

# `SleepStage` of Profusion XML, one per epoch. R&K, so 4 is N3 too; 5 is REM, as in ISRUC.
PROFUSION_CODES: dict[str, Score] = {
    "0": Stage.W,
    "1": Stage.N1,
    "2": Stage.N2,
    "3": Stage.N3,
    "4": Stage.N3,
    "5": Stage.REM,
    "6": Unscored.MOVEMENT,
    "9": Unscored.UNSCORED,
}

# `EventConcept` in the NSRR format, where `EventType` is `Stages|Stages`.
STAGES_TYPE = "stages"
NSRR_CODES: dict[str, Score] = {
    "Wake|0": Stage.W,
    "Stage 1 sleep|1": Stage.N1,
    "Stage 2 sleep|2": Stage.N2,
    "Stage 3 sleep|3": Stage.N3,
    "Stage 4 sleep|4": Stage.N3,
    "REM sleep|5": Stage.REM,
    "Movement|6": Unscored.MOVEMENT,
    "Unscored|9": Unscored.UNSCORED,
}

# `EventConcept` in the legacy NSRR format, which had no `EventType`. Its names for movement and
# unscored epochs are unknown, so an unknown name that looks like a stage is refused.
LEGACY_CODES: dict[str, Score] = {
    "SDO:WakeState": Stage.W,
    "SDO:NonRapidEyeMovementSleep-N1": Stage.N1,
    "SDO:NonRapidEyeMovementSleep-N2": Stage.N2,
    "SDO:NonRapidEyeMovementSleep-N3": Stage.N3,
    "SDO:NonRapidEyeMovementSleep-N4": Stage.N3,
    "SDO:RapidEyeMovementSleep": Stage.REM,
}
LEGACY_STAGE_WORDS = ("SDO:Wake", "SDO:NonRapidEyeMovement", "SDO:RapidEyeMovement")


def read_profusion(path: Path, *, scorer: str = "") -> Hypnogram:
    """Return the hypnogram of a Compumedics Profusion file.

    Raises
    ------
    RecordingError
        If the file can't be read, is another kind of XML, or has an unknown code.
    """
    root = _root(path, "CMPStudyConfig")
    codes = [(stage.text or "").strip() for stage in root.iterfind("SleepStages/SleepStage")]
    if not codes:
        raise RecordingError("empty scoring", f"{path.name} has no SleepStage; get the file again")
    scores = [
        score(code, PROFUSION_CODES, f"{path.name}, epoch {i}") for i, code in enumerate(codes)
    ]
    return from_scores(scores, epoch_s=EPOCH_S, scorer=scorer)


def read_nsrr(path: Path, *, scorer: str = "") -> Hypnogram:
    """Return the hypnogram of a file in NSRR's own format, current or legacy.

    Raises
    ------
    RecordingError
        If the file can't be read, is another kind of XML, or has an unknown code.
    """
    return hypnogram_of(parse_nsrr(path), path.name, scorer=scorer)


def parse_nsrr(path: Path) -> Element:
    """Return the root of a file in NSRR's own format; RecordingError if it is none."""
    return _root(path, "PSGAnnotation")


def is_legacy(root: Element) -> bool:
    """Whether a file in NSRR's own format is of the legacy kind, which lacks the last run."""
    return any(_legacy_stage(concept) for _, concept, _ in _events(root))


def hypnogram_of(root: Element, name: str, *, scorer: str) -> Hypnogram:
    """Return the hypnogram of a parsed file; ``name`` is the file's, for messages. See ``read_nsrr``."""
    events = list(_stage_events(root, name))
    if not events:
        raise RecordingError("empty scoring", f"{name} has no stage; get the file again")
    hypnogram = from_events(check_runs(events, EPOCH_S, name), epoch_s=EPOCH_S, scorer=scorer)
    return replace(hypnogram, lost_end=is_legacy(root))


def _stage_events(root: Element, where: str) -> Iterator[Event]:
    for kind, concept, event in _events(root):
        if concept in NSRR_CODES or kind.casefold().startswith(STAGES_TYPE):
            stage = score(concept, NSRR_CODES, where)
        elif _legacy_stage(concept):
            stage = score(concept, LEGACY_CODES, where)
        else:
            continue  # apnoeas, arousals, desaturations; `Unsure|Unsure` is a kind of hypopnoea
        onset_s = number(event.findtext("Start", ""), f"{where}, Start")
        duration_s = number(event.findtext("Duration", ""), f"{where}, Duration")
        yield Event(onset_s, duration_s, stage)


def _events(root: Element) -> Iterator[tuple[str, str, Element]]:
    for event in root.iter("ScoredEvent"):
        kind = event.findtext("EventType") or ""
        yield kind.strip(), (event.findtext("EventConcept") or "").strip(), event


def _legacy_stage(concept: str) -> bool:
    return concept.startswith(LEGACY_STAGE_WORDS)


def _root(path: Path, expected: str) -> Element:
    """Parse a file and check its root element and epoch length, which both formats have."""
    root = _parse(path)
    if root.tag != expected:
        raise RecordingError(
            "unexpected XML",
            f"{path.name} is <{str(root.tag)[:40]}>, not <{expected}>; get the file again",
        )
    epoch_s = number(root.findtext("EpochLength", str(EPOCH_S)), f"{path.name}, EpochLength")
    if epoch_s != EPOCH_S:
        raise RecordingError(
            "wrong epoch length",
            f"{path.name} has epochs of {epoch_s:g} s instead of {EPOCH_S:g} s; check that the file "
            "belongs to this corpus",
        )
    return root


def _parse(path: Path) -> Element:
    # An annotation file needs no entities; one that has them is damaged or malicious.
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    content = read_bytes(path, bounded.XML)
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise RecordingError(
            "refused XML",
            f"{path.name} declares a DTD, an entity or an external reference "
            f"({type(error).__name__}), which a scoring does not need; get the file again",
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise RecordingError(
            "unreadable scoring", f"{path.name} is not XML ({error}); get the file again"
        ) from error
    return root
