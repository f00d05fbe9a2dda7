"""NSRR reader: recordings and scorings of all corpora of the National Sleep Research Resource.

They have the same tree, ``polysomnography/edfs`` next to ``annotations-events-nsrr`` and
``annotations-events-profusion``; their differences are in ``nsrr_corpora.py``. Files are identified by name
alone, so that moved or flattened trees can be read too.

Both annotation folders hold the work of one scorer in two formats. The NSRR format is the default,
because it has onsets; the Profusion format is used if the NSRR file is absent, or is of the legacy
kind that lacks the last run. ``--scorer nsrr`` and ``--scorer profusion`` select one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora.nsrr import nsrr_xml
from psgimg.builder.corpora.reading import fallback, first_of_each, listed, scoring_of, walk
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Recording

FORMS = ("nsrr", "profusion")
"""Formats of the annotation files as in their names, the preferred one first."""

XML_SCORING = r"-(?P<form>nsrr|profusion)\.xml"
EANNOT_SCORING = r"\.(?P<form>eannot)"


@dataclass(frozen=True)
class Names:
    """File names of a corpus.

    Parameters
    ----------
    stem
        Regular expression of a file name without suffix, with the groups ``recording``,
        ``subject`` and, where relatives took part, ``family``.
    example
        Name of an EDF file, for messages.
    scoring
        Regular expression of the rest of a scoring's name; its group ``form`` is the format.
    """

    corpus: str
    stem: str
    example: str
    scoring: str = XML_SCORING


def recordings(names: Names, root: Place) -> Iterator[Recording]:
    """Yield the recordings of one NSRR corpus in name order; BuildError if there are none."""
    pattern = re.compile(rf"{names.stem}(?:\.edf|{names.scoring})", re.IGNORECASE)
    signals: list[tuple[re.Match[str], Path]] = []
    annotations: list[tuple[tuple[str, str], Path]] = []
    for path in walk(root):
        match = pattern.fullmatch(path.name)
        if match and match["form"]:
            annotations.append(((match["recording"].lower(), match["form"].lower()), path))
        elif match:
            signals.append((match, path))
    scorings, rivals = first_of_each(annotations)
    matched = [_recording(names.corpus, match, path, scorings, rivals) for match, path in signals]
    return listed(matched, root, f"files like {names.example}")


def _recording(
    corpus: str,
    match: re.Match[str],
    signal: Path,
    scorings: Mapping[tuple[str, str], Path],
    rivals: Mapping[tuple[str, str], tuple[Path, ...]],
) -> Recording:
    name = match["recording"].lower()
    family = match.groupdict().get("family")
    keys = [(name, form) for form in (*FORMS, "eannot") if (name, form) in scorings]
    forms = [scorings[key] for key in keys]
    return Recording(
        corpus,
        match["subject"].lower(),
        name,
        signal,
        {"": forms[0]} if forms else {},
        kin=f"family-{family}" if family else "",
        side_files=tuple(forms[1:]),
        rivals=tuple(rivals[key] for key in keys if key in rivals),
    )


def read_hypnogram(recording: Recording, scorer: str) -> Hypnogram:
    """Read the scoring, by default in the NSRR format; see the module's docstring for the rule.

    Raises
    ------
    RecordingError
        If there is no scoring (in the requested format), or it can't be read.
    """
    path = scoring_of(recording, "")
    if scorer in FORMS:
        path = _twin(path, scorer)
        if not path.is_file():
            raise RecordingError(
                "scorer missing",
                f"{recording.recording} has no {path.name}; get that file, or omit --scorer",
            )
    elif scorer:
        scoring_of(recording, scorer)  # raises an error that lists the scorers
    elif _form(path) == "profusion":
        return fallback(nsrr_xml.read_profusion(path), "its Profusion form", "NSRR form")
    if _form(path) == "profusion":
        return nsrr_xml.read_profusion(path, scorer=scorer)
    root, other = nsrr_xml.parse_nsrr(path), _twin(path, "profusion")
    if not scorer and nsrr_xml.is_legacy(root) and other.is_file():
        hypnogram = nsrr_xml.read_profusion(other)
        return fallback(
            hypnogram, "its Profusion form", "NSRR form but a legacy one, which lost a run"
        )
    return nsrr_xml.hypnogram_of(root, path.name, scorer=scorer)


def _form(path: Path) -> str:
    return path.stem.rpartition("-")[2].lower()


def _twin(path: Path, form: str) -> Path:
    """Return the path of the other export of the same recording, in its folder in the NSRR tree."""
    other = str(path).replace(f"annotations-events-{_form(path)}", f"annotations-events-{form}")
    return Path(other).with_name(f"{path.stem.rpartition('-')[0]}-{form}{path.suffix}")
