"""Name forms: which names of subjects and recordings may be published, as they name no person."""

from __future__ import annotations

import re
from typing import Literal

from psgimg.builder.recordings.recording import Corpus

FAMILY = "family-"
"""Beginning of the name of a family."""

Kind = Literal["subject", "recording", "family"]

_WORDS = (
    "baseline|case|control|ctrl|diagnostic|exam|female|followup|group|healthy|male|night|part|"
    "participant|patient|person|polysomnography|record|recording|ses|session|sleep|split|study|sub|"
    "subj|subject|test|titration|trial|visit|volunteer"
)
_ID = re.compile(
    rf"({_WORDS}|[a-z]?|(?P<initials>[a-z]{{2,4}}))[-_]?(?P<digits>\d{{1,6}})",
    re.IGNORECASE | re.ASCII,
)
"""Longer prefixes could be names of people, unless they are such words; longer numbers could be dates
of birth or numbers of a hospital.
"""

_REST = re.compile(rf"[-_.]*([a-z]|psg|{_WORDS})?", re.IGNORECASE | re.ASCII)
"""What may follow the subject in the name of a recording, beside an id."""

_BIRTH = re.compile(
    r"(19\d\d|20[0-2]\d)"
    r"|\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
    r"|(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])\d\d|(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d\d"
)
"""Possibly a year or date of birth, after a prefix that could be initials or a short name."""


def odd_names(corpus: Corpus | None, subject: str, recording: str, kin: str) -> dict[Kind, str]:
    """Return the names of a recording that must not be published.

    Parameters
    ----------
    corpus
        The corpus of the recording; None if this psgimg does not know it.
    kin
        The family as ``family-NAME``; anything else is the subject.
    """
    odd: dict[Kind, str] = {}
    if not is_id(corpus, subject):
        odd["subject"] = subject
    if odd or not _is_night(corpus, subject, recording):
        odd["recording"] = recording
    if kin.startswith(FAMILY) and not is_id(corpus, kin.removeprefix(FAMILY)):
        odd["family"] = kin
    return odd


def is_public(corpus: Corpus | None, recording: str) -> bool:
    """Whether a recording whose subject is unknown has a name that may be published."""
    parts = re.split(r"[-_.]+", recording)
    return is_id(corpus, recording) or all(_REST.fullmatch(p) or is_id(corpus, p) for p in parts)


def is_id(corpus: Corpus | None, name: str) -> bool:
    """Whether a name has the form of its corpus, or is letters and a number."""
    if corpus and corpus.names and re.fullmatch(corpus.names, name):
        return True
    match = _ID.fullmatch(name)
    return match is not None and not (match["initials"] and _BIRTH.fullmatch(match["digits"]))


def _is_night(corpus: Corpus | None, subject: str, name: str) -> bool:
    """Whether the name of a recording is an id, or its subject followed by one."""
    if not name.lower().startswith(subject.lower()):
        return is_id(corpus, name)
    rest = name[len(subject) :]
    return bool(_REST.fullmatch(rest)) or is_id(corpus, rest.lstrip("-_.")) or is_id(corpus, name)
