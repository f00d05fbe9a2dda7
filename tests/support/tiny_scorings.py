"""Scorings as text, for the tiny corpora: the words of each corpus for a night's stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tiny_edf import runs

NSRR_CONCEPTS = {
    "W": "Wake|0",
    "1": "Stage 1 sleep|1",
    "2": "Stage 2 sleep|2",
    "3": "Stage 3 sleep|3",
    "4": "Stage 4 sleep|4",
    "R": "REM sleep|5",
    "M": "Movement|6",
    "?": "Unscored|9",
}
LEGACY_CONCEPTS = {
    "W": "SDO:WakeState",
    "1": "SDO:NonRapidEyeMovementSleep-N1",
    "2": "SDO:NonRapidEyeMovementSleep-N2",
    "3": "SDO:NonRapidEyeMovementSleep-N3",
    "4": "SDO:NonRapidEyeMovementSleep-N4",
    "R": "SDO:RapidEyeMovementSleep",
}
PROFUSION = {"W": "0", "1": "1", "2": "2", "3": "3", "4": "4", "R": "5", "M": "6", "?": "9"}
EDF_RK = {word: f"Sleep stage {word}" for word in "W1234R?"} | {"M": "Movement time"}
EDF_AASM = EDF_RK | {word: f"Sleep stage N{word.replace('4', '3')}" for word in "1234"}
ISRUC_TXT = {"W": "0", "1": "1", "2": "2", "3": "3", "4": "3", "R": "5", "?": "0"}
ISRUC_XLSX = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "R", "?": "U"}
DCSM_IDS = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "REM"}


def nsrr_xml(words: Sequence[str], concepts: Mapping[str, str] = NSRR_CONCEPTS) -> str:
    """Write NSRR's own form; with ``LEGACY_CONCEPTS`` the legacy one, which loses the last run."""
    legacy = concepts is LEGACY_CONCEPTS
    kind = "" if legacy else "<EventType>Stages|Stages</EventType>"
    other = "" if legacy else "<EventType>Respiratory|Respiratory</EventType>"
    parts = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<PSGAnnotation>',
        "<SoftwareVersion>Compumedics</SoftwareVersion><EpochLength>30</EpochLength><ScoredEvents>",
        f"<ScoredEvent>{other}<EventConcept>Unsure|Unsure</EventConcept>"
        "<Start>64.5</Start><Duration>12.3</Duration></ScoredEvent>",
    ]
    found = runs(words, 30.0)
    for onset_s, duration_s, word in found[:-1] if legacy else found:
        parts.append(
            f"<ScoredEvent>{kind}<EventConcept>{concepts[word]}</EventConcept>"
            f"<Start>{onset_s}</Start><Duration>{duration_s}</Duration></ScoredEvent>"
        )
    return "\n".join([*parts, "</ScoredEvents></PSGAnnotation>\n"])


def profusion_xml(words: Sequence[str]) -> str:
    """Write the form of Compumedics Profusion."""
    stages = "".join(f"<SleepStage>{PROFUSION[word]}</SleepStage>" for word in words)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<CMPStudyConfig><EpochLength>30</EpochLength>'
        "<ScoredEvents><ScoredEvent><Name>Hypopnea</Name><Start>64.5</Start><Duration>12.3"
        f"</Duration></ScoredEvent></ScoredEvents><SleepStages>{stages}</SleepStages>"
        "</CMPStudyConfig>\n"
    )


def write_isruc_expert(path: Path, words: Sequence[str]) -> None:
    """Write an expert's text, with blank lines at the end, and the table of the same epochs."""
    from openpyxl import Workbook

    path.write_text("".join(f"{ISRUC_TXT[word]}\r\n" for word in words) + "\r\n\r\n")
    book = Workbook()
    sheet = book.active
    sheet.append(["Epoch", "Stage", "SpO2", "HR", "Events", None, "ID:", "000/00"])
    for number, word in enumerate(words, start=1):
        sheet.append([number, ISRUC_XLSX[word], 97, 60, None, None, "DATE:", "1/1/2009"])
    book.create_sheet("Sheet2")
    book.save(path.with_suffix(".xlsx"))
