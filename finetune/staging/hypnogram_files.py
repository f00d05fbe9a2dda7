"""Hypnogram files: a staged night as CSV, EDF+ annotations, and as Luna and BIDS write annotations."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from psgimg.builder import atomic_file
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.staging.staged_night import StagedNight

EXTRA = ("confidence", "review", "staged_by")

COLUMNS = (
    "epoch",
    "onset_s",
    "time",
    "stage",
    *(f"p_{name}" for name in STAGE_NAMES),
    *EXTRA,
)

PAGE_COLUMNS = ("page_stage", *(f"page_p_{name}" for name in STAGE_NAMES))
"""Further columns if the night was decoded as a whole: each page by itself."""

UNSTAGED = "UNS"
"""An epoch without a stage in the table, as YASA calls it."""

DECIMALS = 6

TEXTS = {"": "Sleep stage ?", **{name: f"Sleep stage {name}" for name in STAGE_NAMES}} | {
    "REM": "Sleep stage R"
}
"""The standard texts of EDF+ for the stages of the AASM manual (edfplus.info/specs/edftexts.html)."""

REVIEW = "Review stage"
LIGHTS_OFF, LIGHTS_ON = "Lights off", "Lights on"
"""These two are standard EDF+ texts as well."""

LUNA = {"": "?", **{name: name for name in STAGE_NAMES}, "REM": "R"}
"""Luna's names of the stages."""

LEVELS = {
    "W": "Wakefulness",
    "N1": "NREM sleep, stage 1",
    "N2": "NREM sleep, stage 2",
    "N3": "NREM sleep, stage 3",
    "REM": "REM sleep",
    "unscored": "No stage",
}

HEADER_ROOM = 46
"""Characters of the 80 for the recording in an EDF header that date and equipment leave."""

FIRST_YEAR, LAST_YEAR = 1985, 2084
"""Range of years that the two digits of an EDF header can represent."""


def write_table(
    path: Path, night: StagedNight, further: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> None:
    """Write a CSV with one row per epoch; probabilities and review are empty without a stage.

    It has ``PAGE_COLUMNS`` too if the night was decoded. The probabilities of an epoch sum to 1 as
    written. ``time`` is clock time; it is empty if the start of the recording is unknown.

    Parameters
    ----------
    further
        Further columns, by name, with a text for each epoch.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    pages = night.page_probabilities
    rows.writerow([*COLUMNS, *(PAGE_COLUMNS if pages is not None else ()), *further])
    for row, (onset_s, stage) in enumerate(zip(night.onsets_s, night.names, strict=True)):
        clock = "" if night.start is None else night.clock(onset_s)
        own = [night.epochs[row], f"{onset_s:.10g}", clock, stage or UNSTAGED]
        of_page = [] if pages is None else _page(night.page_names[row], pages[row])
        more = [column[row] for column in further.values()]
        rows.writerow([*own, *_likelihood(night, row, ""), night.staged_by, *of_page, *more])
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
        recording=edfio.Recording(
            startdate=day, equipment_code="psgimg", additional=_additional(night)
        ),
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


def _additional(night: StagedNight) -> tuple[str, ...]:
    """Return who staged the night for the header of an EDF file: one word of ASCII, cut to its room."""
    word = re.sub(r"[^!-~]+", "_", night.staged_by)[:HEADER_ROOM]
    return (word,) if word else ()


def write_luna(path: Path, night: StagedNight) -> None:
    """Write Luna's ``.annot``: a line per epoch, those to review and the lights, by time of onset."""
    lines = [
        (float(onset_s), LUNA[name], night.epoch_s)
        for onset_s, name in zip(night.onsets_s, night.names, strict=True)
    ]
    lines += [(float(onset_s), "review", night.epoch_s) for onset_s in night.onsets_s[night.review]]
    lights = ((night.lights_off_s, "lights_off"), (night.lights_on_s, "lights_on"))
    lines += [(at_s, name, 0.0) for at_s, name in lights if at_s is not None]
    who = re.sub(r"[^ -{}~]+", "_", _told(night))  # a bar ends the text
    head = [f"# {name} | {who}" for name in dict.fromkeys(name for _, name, _ in lines)]
    rows = [
        (name, ".", ".", f"{onset_s:.10g}", f"{onset_s + length_s:.10g}", ".")
        for onset_s, name, length_s in sorted(lines, key=lambda line: line[0])
    ]
    columns = ("class", "instance", "channel", "start", "stop", "meta")
    atomic_file.write_text(path, "\n".join(head) + "\n" + _tabbed([columns, *rows]))


def write_events(path: Path, night: StagedNight) -> None:
    """Write BIDS's table of events, a row per epoch, and the JSON that describes its columns beside it."""
    odds = [f"p_{name}" for name in STAGE_NAMES]
    rows: list[Sequence[str]] = [("onset", "duration", "trial_type", *odds, *EXTRA)]
    for row, (onset_s, stage) in enumerate(zip(night.onsets_s, night.names, strict=True)):
        when = (f"{onset_s:.10g}", f"{night.epoch_s:g}", stage or "unscored")
        who = re.sub(r"\s+", " ", night.staged_by) or "n/a"
        rows.append((*when, *_likelihood(night, row, "n/a"), who))
    atomic_file.write_text(path, _tabbed(rows))
    described = {
        "onset": {"Description": "Start of the epoch after the recording's", "Units": "s"},
        "duration": {"Description": "Length of the epoch", "Units": "s"},
        "trial_type": {"LongName": "Sleep stage", "Description": _told(night), "Levels": LEVELS},
        **{name: {"Description": f"Probability of {name[2:]}"} for name in odds},
        "confidence": {"Description": "Probability of the most likely stage"},
        "review": {
            "Description": "Whether a scorer should look at the epoch",
            "Levels": {"yes": "Its stage is doubtful", "no": "Its stage is likely right"},
        },
        "staged_by": {"Description": "Who staged the epoch, and from what"},
    }
    text = json.dumps(described, indent=1, ensure_ascii=False)
    atomic_file.write_text(path.with_suffix(".json"), text + "\n")


def _told(night: StagedNight) -> str:
    """Return a sentence on where the stages come from."""
    who = f" by {night.staged_by}" if night.staged_by else ""
    if night.chosen is not None:
        return f"Stage by the AASM manual, {f'automatic{who}, ' if who else ''}reviewed by a scorer"
    return f"Stage by the AASM manual, automatic{who}; not reviewed by a scorer"


def _tabbed(rows: Iterable[Sequence[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def _likelihood(night: StagedNight, row: int, none: str) -> list[str]:
    """Return the cells of an epoch's probabilities, confidence and review; ``none`` without them."""
    marked = bool(night.review[row])
    review = none if night.stages[row] == UNSCORED and not marked else "yes" if marked else "no"
    if np.isnan(night.confidence[row]):
        return [none] * (len(STAGE_NAMES) + 1) + [review]
    cells = [f"{share:.{DECIMALS}f}" for share in rounded(night.probabilities[row])]
    return [*cells, max(cells), review]


def _page(stage: str, probabilities: npt.NDArray[np.float64]) -> list[str]:
    """Return the cells of ``PAGE_COLUMNS``."""
    if not stage:
        return [UNSTAGED, *[""] * len(STAGE_NAMES)]
    return [stage, *(f"{share:.{DECIMALS}f}" for share in rounded(probabilities))]


def rounded(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (5,) probabilities in whole units of the last decimal that is written, which sum to 1.

    What rounding down takes is given back to those that lost most.
    """
    units = probabilities / probabilities.sum() * 10**DECIMALS
    whole = np.floor(units)
    n_short = round(10**DECIMALS - float(whole.sum()))
    whole[np.argsort(whole - units, kind="stable")[:n_short]] += 1
    shares: npt.NDArray[np.float64] = whole / 10**DECIMALS
    return shares
