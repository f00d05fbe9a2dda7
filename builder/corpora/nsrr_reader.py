"""The reader of every corpus of the National Sleep Research Resource (NSRR).

They share one tree, ``polysomnography/edfs`` beside ``annotations-events-nsrr`` and
``annotations-events-profusion``; what differs between them stands in ``nsrr.py``. Files are known
by their names alone: moved or flattened trees are read as well.

Both annotation folders hold one scorer's work in two formats. The NSRR form is the default, being
the one with onsets; the Profusion form is taken where the NSRR file is absent, or is of the legacy
kind that lost the last run. ``--scorer nsrr`` and ``--scorer profusion`` insist on one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora import nsrr_xml
from psgimg.builder.corpora.reading import listed, scoring_of, walk
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.recording import Recording

FORMS = ("nsrr", "profusion")
"""Suffixes of the annotation files, the preferred one first."""

XML_SCORING = r"-(?P<form>nsrr|profusion)\.xml"
EANNOT_SCORING = r"\.(?P<form>eannot)"


@dataclass(frozen=True)
class Names:
    """How a corpus names its files.

    Parameters
    ----------
    stem
        Fits a file's name without suffix; has the groups ``recording``, ``subject`` and, where
        relatives took part, ``family``.
    example
        An EDF's name, for messages.
    scoring
        Fits the end of a scoring's name, after the stem; its group ``form`` tells which kind.
    """

    corpus: str
    stem: str
    example: str
    scoring: str = XML_SCORING


def recordings(names: Names, root: Path) -> Iterator[Recording]:
    """Yield the nights of one NSRR corpus in name order; BuildError if there are none."""
    pattern = re.compile(rf"{names.stem}(?:\.edf|{names.scoring})", re.IGNORECASE)
    signals: list[tuple[re.Match[str], Path]] = []
    scorings: dict[tuple[str, str], Path] = {}
    for path in walk(root):
        match = pattern.fullmatch(path.name)
        if match and match["form"]:
            scorings[match["recording"].lower(), match["form"].lower()] = path
        elif match:
            signals.append((match, path))
    found = [_recording(names.corpus, match, path, scorings) for match, path in signals]
    return listed(found, root, f"files like {names.example}")


def _recording(
    corpus: str, match: re.Match[str], signal: Path, scorings: Mapping[tuple[str, str], Path]
) -> Recording:
    name = match["recording"].lower()
    family = match.groupdict().get("family")
    forms = [scorings[name, form] for form in (*FORMS, "eannot") if (name, form) in scorings]
    return Recording(
        corpus,
        match["subject"].lower(),
        name,
        signal,
        {"": forms[0]} if forms else {},
        kin=f"family-{family}" if family else "",
        side_files=tuple(forms[1:]),
    )


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring, by default in the NSRR form; the module's docstring has the whole rule.

    Raises
    ------
    RecordingError
        If there is no scoring (in the form asked for), or it can't be read.
    """
    path = scoring_of(recording, "")
    if scorer in FORMS:
        path = _twin(path, scorer)
        if not path.is_file():
            raise RecordingError(
                "scorer missing",
                f"{recording.recording} has no {path.name}; get that file, or leave --scorer out",
            )
    elif scorer:
        scoring_of(recording, scorer)  # refuses, naming who there is
    elif _form(path) == "nsrr" and _twin(path, "profusion").is_file() and nsrr_xml.is_legacy(path):
        path = _twin(path, "profusion")
    read = nsrr_xml.read_nsrr if _form(path) == "nsrr" else nsrr_xml.read_profusion
    return read(path, scorer=scorer)


def _form(path: Path) -> str:
    return path.stem.rpartition("-")[2].lower()


def _twin(path: Path, form: str) -> Path:
    """Name the other export of the same night, in the folder that NSRR keeps it in."""
    other = str(path).replace(f"annotations-events-{_form(path)}", f"annotations-events-{form}")
    return Path(other).with_name(f"{path.stem.rpartition('-')[0]}-{form}{path.suffix}")
