"""Parsing of answers: from the text that a model generated to a stage, or to none if unclear.

A model that was never taught how to answer is read fairly: its stage counts however it is dressed,
as long as it states one stage and no other.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

AS_ASKED = "as asked"
REASONED = "after reasoning"
JSON = "as JSON"
MARKED = "in markup or quotes"
SYNONYM = "by another name"
SENTENCE = "in a sentence"
NONE = "no valid answer"
MANNERS = (AS_ASKED, REASONED, JSON, MARKED, SYNONYM, SENTENCE, NONE)
"""How answers are given, in the order of tables."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "W": ("W", "wake", "awake", "wakefulness"),
    "N1": ("N1", "NREM1", "NREM 1", "NREM-1", "NREM stage 1", "stage 1"),
    "N2": ("N2", "NREM2", "NREM 2", "NREM-2", "NREM stage 2", "stage 2"),
    "N3": ("N3", "NREM3", "NREM 3", "NREM-3", "NREM stage 3", "stage 3"),
    "REM": ("REM", "R"),
}
"""Names of the stages beside the prompt's own, in any case; single letters in capitals."""

GENERAL = ("NREM", "non-REM", "non REM")
"""What N1, N2 and N3 may be called beside their name; no answer alone."""

OTHER = ("N4", "NREM4", "NREM 4", "stage 4", "S1", "S2", "S3", "S4")
"""Stages of other rules, which are none of the five: an answer with one of them is unclear."""

KEYS = ("stage", "sleep_stage", "sleep stage", "label", "answer", "prediction", "class")
"""Keys of a JSON object that state the answer."""

FILLER = frozenset(
    re.findall(
        r"\S+",
        "a an the this that it is be as in of for i my would to score scored classify classified label "
        "labelled labeled predict predicted prediction answer final most likely sleep stage staged class "
        "classification epoch page image picture current shown shows show so therefore thus based on "
        "sure here it's that's think believe looks like appears patient person subject sleeper boxed "
        "text",
    )
)
"""Words that a sentence may have beside its stage. None of them denies or doubts."""

LONGEST = 100_000
"""Characters that are looked at; a longer text is a model that repeats itself."""

_DRESS = " \t\r\n\u00a0*_`\"'\u201c\u201d\u2018\u2019()[]{}<>#-:"
_DRESS_BEHIND = "*_`\"'\u201d\u2019) "
_PAUSES = ("", *",;:.!(\u2013\u2014-")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")


class Reading(NamedTuple):
    """The stage that a text states, None if it states none or several, and one of ``MANNERS``."""

    stage: str | None
    manner: str


def parse(raw: str, answers: Mapping[str, str]) -> str | None:
    """Return the name of the stage that a generated text states, or None; see :func:`read`."""
    return read(raw, answers).stage


def read(raw: str, answers: Mapping[str, str]) -> Reading:
    """Return the stage that a generated text states, and how it states it.

    Read are, in this order: what follows the model's reasoning (``</think>``; reasoning that does
    not end is no answer); the text of an answer as asked for, in upper or in lower case, with one
    full stop or without; a JSON object with one of ``KEYS``; the answer in markup or quotes; one of
    ``NAMES``; and a sentence or line that has beside the stage only words of ``FILLER``, or an
    explanation behind it and a punctuation mark. A text that names two stages anywhere is none, and
    so is a text that fits two answers.

    Parameters
    ----------
    answers
        Stage name → text of its answer, see :class:`psgimg.builder.dataset.prompts.Prompt`.
    """
    text, reasoned = _after_reasoning(raw[:LONGEST])
    found = Reading(None, NONE) if text is None else _read(text, answers)
    return Reading(found.stage, REASONED) if reasoned and found.stage else found


def counted(raws: Iterable[str | None], answers: Mapping[str, str]) -> dict[str, int]:
    """Return how many of some texts state their stage in each of ``MANNERS``; those that occur.

    None stands for a page whose answers were compared instead, and is not counted.
    """
    counts = Counter(read(raw, answers).manner for raw in raws if raw is not None)
    return {manner: counts[manner] for manner in MANNERS if counts[manner]}


def _after_reasoning(raw: str) -> tuple[str | None, bool]:
    """Return what follows the reasoning, None if that has no end; and whether there is reasoning."""
    _, end, rest = raw.rpartition("</think>")
    if end:
        return (None if "<think>" in rest else rest), True
    return (None, True) if "<think>" in raw else (raw, False)


def _read(text: str, answers: Mapping[str, str]) -> Reading:
    stripped = text.strip()
    if matching := _as_asked(stripped, answers):
        return _only(matching, AS_ASKED)
    start, end = stripped.find("{"), stripped.rfind("}")
    if 0 <= start < end and (values := _object(stripped[start : end + 1])) is not None:
        around = stripped[:start] + " " + stripped[end + 1 :]
        return _of_object(values, around, answers)
    bare = _bare(stripped)
    undressed = {stage: _bare(answer) for stage, answer in answers.items()}
    if bare and (matching := _as_asked(bare, undressed)):
        return _only(matching, MARKED)
    vocabulary = _vocabulary(tuple(answers.items()))
    stage = vocabulary.only_stage(stripped)
    if stage is None:
        return Reading(None, NONE)
    if vocabulary.is_name(bare):
        return Reading(stage, SYNONYM)
    sentences = re.split(r"[\r\n]+|(?<=[.!?])\s+", stripped)
    said = any(vocabulary.states(sentence) for sentence in sentences)
    return Reading(stage, SENTENCE) if said else Reading(None, NONE)


def _bare(text: str) -> str:
    """Return a text without the markup and quotes around it, and without a full stop."""
    return text.strip(_DRESS).removesuffix(".").strip(_DRESS)


def _as_asked(text: str, answers: Mapping[str, str]) -> set[str]:
    """Return the stages of which a text is the answer as asked for."""
    texts = {text, text.removesuffix(".")}
    return {s for s, answer in answers.items() if texts & {answer, answer.upper(), answer.lower()}}


def _only(stages: set[str], manner: str) -> Reading:
    return Reading(next(iter(stages)), manner) if len(stages) == 1 else Reading(None, NONE)


def _object(text: str) -> list[tuple[str, Any]] | None:
    """Return keys and values of a JSON object, repeated ones too; None if the text is none."""
    try:
        values = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, list) else None


def _of_object(values: list[tuple[str, Any]], around: str, answers: Mapping[str, str]) -> Reading:
    """Return the stage that the keys of a JSON object state, unless the text around names another."""
    stated = [value for key, value in values if key.strip().lower() in KEYS]
    readings = [
        _read(value, answers) if isinstance(value, str) and "{" not in value else None
        for value in stated
    ]
    stages = {None if reading is None else reading.stage for reading in readings}
    if len(stages) != 1 or None in stages:
        return Reading(None, NONE)
    if _vocabulary(tuple(answers.items())).named(around) - stages:
        return Reading(None, NONE)
    return Reading(next(iter(stages)), JSON)


class _Vocabulary:
    """The names of the stages in running text: those of ``NAMES`` and the prompt's own answers."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        own: dict[str, set[str | None]] = {name.lower(): {None} for name in OTHER}
        for stage, names in NAMES.items():
            for name in names:
                own.setdefault(name.lower(), set()).add(stage)
        for stage, answer in answers.items():
            # An answer such as "a" or "1" is also a word of sentences that say something else.
            if len(answer) > 1 and answer.lower() not in FILLER:
                own[answer.lower()] = {stage, *(own.get(answer.lower()) or ())} - {None}
        self._stages = {
            name: next(iter(found)) if len(found) == 1 else None for name, found in own.items()
        }
        self._names = _any_of(own)
        self._general = _any_of(name for name in GENERAL if name.lower() not in own)

    def only_stage(self, text: str) -> str | None:
        """Return the one stage that a text names; None if it names none, several or another."""
        named = self.named(text)
        return next(iter(named)) if len(named) == 1 else None

    def named(self, text: str) -> set[str | None]:
        """Return the stages that a text names; None among them for any other."""
        found = {self._stages.get(match[0].lower()) for match in self._found(self._special(text))}
        if self._general.search(text) and not found <= {"N1", "N2", "N3"}:
            found.add(None)
        return found

    def is_name(self, text: str) -> bool:
        """Whether a text is nothing but a name."""
        return self._names.fullmatch(text) is not None

    def states(self, sentence: str) -> bool:
        """Whether a sentence says that the epoch is of the stage that it names."""
        sentence = self._special(sentence)
        found = self._found(sentence)
        if not found:
            return False
        first = found[0]
        before, behind = sentence[: first.start()], sentence[first.end() :].lstrip(_DRESS_BEHIND)
        if not _words(before) <= FILLER or behind.startswith("?"):
            return False
        return behind[:1] in _PAUSES or _words(self._names.sub(" ", behind)) <= FILLER

    def _special(self, text: str) -> str:
        """Return a text without the names of ``GENERAL``, unless they begin another name."""

        def special(match: re.Match[str]) -> str:
            return match[0] if self._names.match(text, match.start()) else " "

        return self._general.sub(special, text)

    def _found(self, text: str) -> list[re.Match[str]]:
        """Return the names in a text; "w" and "r" count in capitals alone."""
        matches = self._names.finditer(text)
        return [match for match in matches if len(match[0]) > 1 or match[0].isupper()]


@lru_cache
def _vocabulary(answers: tuple[tuple[str, str], ...]) -> _Vocabulary:
    return _Vocabulary(dict(answers))


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of some names as whole words, the longest first."""
    ordered = sorted(names, key=lambda name: (-len(name), name))
    pattern = "|".join(map(re.escape, ordered)) or "(?!)"
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
