"""Vocabulary: the words by which BIDS datasets write the stages of sleep, and their legends.

Numbers alone are no stages: 4 is REM in one dataset, N2 or stage 4 in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from psgimg.builder.corpora.stage_text import NON_REM
from psgimg.builder.errors import RecordingError
from psgimg.builder.stages import Score, Stage, Unscored

_SPELT: Mapping[Score, str] = {
    Stage.W: "w, wake, awake, wakefulness, waking",
    Stage.N1: "n1, s1, nrem1, nrem 1, non rem 1, nonrem1",
    Stage.N2: "n2, s2, nrem2, nrem 2, non rem 2, nonrem2",
    Stage.N3: (
        "n3, s3, nrem3, nrem 3, non rem 3, nonrem3, n4, s4, nrem4, nrem 4, non rem 4, nonrem4, "
        "n3/n4, s3/s4, sws, slow wave"
    ),
    Stage.REM: "r, rem",
    Unscored.MOVEMENT: "mt, m, movement, movement time",
    Unscored.UNSCORED: "u, ?, unknown, unscored, not scored, unscorable, undefined, none",
}
WORDS: Mapping[str, Score] = {
    word: score for score, words in _SPELT.items() for word in words.split(", ")
}
"""Words for a stage, as ``_plain`` makes them."""

_PREFIX = re.compile(r"(sleep )?stage ")
_DOUBT = re.compile(r"(.*) \((uncertain|unsure|unscorable|unclear|artefact|artifact)\)")
_NUMBER = re.compile(r"-?\d+(\.0*)?")
_LIKE_STAGE = re.compile(r"(sleep[ _-]*)?stage\b.*|(n|s|nrem|rem)[ _-]?\d+", re.IGNORECASE)
_IN_TEXT = re.compile(
    r"\b(?P<word>awake|wakefulness|wake|waking|w|r|[ns][1-4]|sws|slow wave sleep|movement)\b"
    r"|\b(?:n-?rem|non-?\s?rem|stages?)[ -]*(?P<number>[1-4])\b"
    r"|(?<!non-)(?<!non )(?<!n-)\b(?P<rem>rem)\b"
)


def is_number(text: str) -> bool:
    """Whether a value is a whole number, which means a stage only by a legend or beside words."""
    return bool(_NUMBER.fullmatch(text))


def code(text: str) -> str:
    """Return a whole number in one spelling: ``2.0`` is ``2``."""
    return str(int(float(text))) if is_number(text) else text


def is_doubtful(text: str) -> bool:
    """Whether a scorer noted doubt beside a stage: ``W (uncertain)``, ``2 or 3 (unscorable)``."""
    match = _DOUBT.fullmatch(_plain(text))
    return match is not None and all(
        word in WORDS or word in NON_REM for word in match[1].split(" or ")
    )


def looks_like_stage(text: str) -> bool:
    """Whether an unknown word is spelt like a stage: ``Sleep stage X``, ``N5``, ``7``."""
    return is_number(text) or bool(_LIKE_STAGE.fullmatch(" ".join(text.split())))


def words(values: Iterable[str]) -> dict[str, Score]:
    """Return the scores of those values of a column that are known words.

    Numbers are known only beside a word for waking or REM, and only 1 to 4.
    """
    distinct = set(values)
    scores = {text: score for text in distinct if (score := _word(text)) is not None}
    if {Stage.W, Stage.REM} & set(scores.values()):
        scores |= {text: NON_REM[code(text)] for text in distinct if code(text) in NON_REM}
    return scores


def legend(levels: Mapping[str, object], where: str) -> dict[str, Score]:
    """Return the scores of the ``Levels`` of a column, ``{"2": "REM"}``; other levels as unscored.

    Nothing, if they name fewer than two stages: then they are about something else.

    Raises
    ------
    RecordingError
        If the text of a level names several stages, among others that name one each.
    """
    named = {code(str(key)): _described(text) for key, text in levels.items()}
    stages = {score for one in named.values() for score in one if len(one) == 1}
    if len(stages & set(Stage)) < 2:
        return {}
    for key, one in named.items():
        if len(one) > 1:
            raise RecordingError(
                "ambiguous Levels",
                f"{where}: level {key[:20]!r} names several stages; correct it",
            )
    return {key: next(iter(one), Unscored.UNSCORED) for key, one in named.items()}


def _described(value: object) -> set[Score]:
    """Return the scores that the text of a level names; movement only if it names no stage."""
    if isinstance(value, dict):
        value = value.get("Description", "")
    text = str(value)
    if (score := _word(text)) is not None:
        return {score}
    found: set[Score] = set()
    spaced = " ".join(text.lower().replace("_", " ").split())
    for match in _IN_TEXT.finditer(spaced.replace("rapid eye movement", "rem")):
        if match["number"]:
            found.add(NON_REM[match["number"]])
        else:
            found.add(WORDS[(match["word"] or match["rem"]).removesuffix(" sleep")])
    return {score for score in found if isinstance(score, Stage)} or found


def _word(text: str) -> Score | None:
    """Return the score of a word that means the same in every column; None if it is none."""
    if is_doubtful(text):
        return Unscored.UNSCORED
    plain = _plain(text)
    bare = _PREFIX.sub("", plain, count=1).removesuffix(" sleep")
    if bare != plain and bare in NON_REM:
        return NON_REM[bare]
    return WORDS.get(bare)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_\s-]+", " ", text.lower()).split())
