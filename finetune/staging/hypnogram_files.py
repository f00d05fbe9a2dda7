"""Hypnogram files: a staged night as CSV, and as EDF+ annotations that viewers show on the signals."""

from __future__ import annotations

import csv
import io
import math
from datetime import date, time
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.staging.staged_night import StagedNight

COLUMNS = (
    "epoch",
    "onset_s",
    "time",
    "stage",
    *(f"p_{name}" for name in STAGE_NAMES),
    "confidence",
    "review",
)

TEXTS = {"": "Sleep stage ?", **{name: f"Sleep stage {name}" for name in STAGE_NAMES}} | {
    "REM": "Sleep stage R"
}
"""The standard texts of EDF+ for the stages of the AASM manual (edfplus.info/specs/edftexts.html)."""

REVIEW = "Review stage"
LIGHTS_OFF, LIGHTS_ON = "Lights off", "Lights on"
"""These two are standard EDF+ texts as well."""

FIRST_YEAR, LAST_YEAR = 1985, 2084
"""Range of years that the two digits of an EDF header can represent."""


def write_table(path: Path, night: StagedNight) -> None:
    """Write a CSV with one row per epoch; stage, probabilities and review are empty without a stage.

    ``time`` is clock time; it is empty if the start of the recording is unknown.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for row, (onset_s, stage) in enumerate(zip(night.onsets_s, night.names, strict=True)):
        values = [_decimals(value) for value in night.probabilities[row]]
        review = ("yes" if night.review[row] else "no") if stage else ""
        clock = "" if night.start is None else night.clock(onset_s)
        rows.writerow(
            [
                night.epochs[row],
                f"{onset_s:.10g}",
                clock,
                stage,
                *values,
                _decimals(night.confidence[row]),
                review,
            ]
        )
    atomic_file.write_text(path, text.getvalue())


def write_annotations(path: Path, night: StagedNight) -> None:
    """Write an annotations-only EDF+ file with the start time of the recording.

    Each epoch has its own annotation, so that a reviewer can change one without affecting its
    neighbours; epochs without a stage are ``Sleep stage ?``. Epochs of low confidence are also
    annotated with ``Review stage``; lights off and on are annotated if their times are known.
    """
    import edfio

    annotations = [
        edfio.EdfAnnotation(float(onset_s), night.epoch_s, TEXTS[name])
        for onset_s, name in zip(night.onsets_s, night.names, strict=True)
    ]
    annotations += [
        edfio.EdfAnnotation(float(onset_s), night.epoch_s, REVIEW)
        for onset_s in night.onsets_s[night.review]
    ]
    lights = ((night.lights_off_s, LIGHTS_OFF), (night.lights_on_s, LIGHTS_ON))
    annotations += [
        edfio.EdfAnnotation(at_s, None, text) for at_s, text in lights if at_s is not None
    ]
    day, clock = _start(night)
    edf = edfio.Edf(
        [],
        recording=edfio.Recording(startdate=day, equipment_code="psgimg"),
        starttime=clock,
        annotations=annotations,
    )
    with atomic_file.whole(path) as temporary:
        edf.write(temporary)


def _start(night: StagedNight) -> tuple[date | None, time]:
    """Return date and time for an EDF header: no date out of its range, midnight if unknown."""
    if night.start is None:
        return None, time()
    in_range = FIRST_YEAR <= night.start.year <= LAST_YEAR
    return night.start.date() if in_range else None, night.start.time()


def _decimals(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
