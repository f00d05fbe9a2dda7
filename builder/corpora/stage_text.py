"""Stage text: what a word says of an epoch in a scoring of unknown origin; numbers are asked for.

The same number means other stages elsewhere: 4 is REM for YASA and U-Sleep, stage 4 by Rechtschaffen
and Kales, and stage 3 in the tables of UCDDB; 5 is REM, W (DREAMS) or no stage. What else is in a file
does not tell: a night may lack any stage. Numbers therefore count only where somebody says what they
mean, or as the stages of non-REM sleep beside words for the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from psgimg.builder.errors import RecordingError
from psgimg.builder.stages import Score, Stage, Unscored

Codes = Mapping[str, Score]
"""Number or word of a scoring → what it stands for."""

_WORD = re.compile(
    r"((sleep )?stage )?(?P<core>w(ake)?|awake|r(em)?|(s|n|nrem) ?[1-4]|\?|m(t|ovement)?"
    r"( time)?|unscored|unknown|uns|)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?P<prefix>(sleep )?stage )?(?P<number>-?\d)(\.0*)?", re.IGNORECASE)

NON_REM: Codes = {"1": Stage.N1, "2": Stage.N2, "3": Stage.N3, "4": Stage.N3}
"""Numbers beside words for W or REM, and behind ``Sleep stage``, as EDF+ writes those of R&K."""

_ASKED = frozenset("012345")
"""Numbers that are a stage in some scorings; others (-1, 6 to 9) are movement or none in all."""

EXAMPLES = (
    "--codes 0=W,1=N1,2=N2,3=N3,4=REM (as YASA writes them), or --codes "
    "0=W,1=N1,2=N2,3=N3,4=N3,5=REM (Rechtschaffen and Kales)"
)

PLACES_ONLY: Codes = dict.fromkeys((*"0123456789", "-1", "-2"), Unscored.UNSCORED)
"""Codes for those who use where epochs lie, and not their stages."""

N_SHOWN = 3


def is_stage_text(text: str, codes: Codes) -> bool:
    """Whether a text is a word or a number for a stage, or for an epoch without one."""
    plain = spelling(text)
    return plain in codes or bool(_WORD.fullmatch(plain) or _NUMBER.fullmatch(plain))


def scores(
    texts: Iterable[str], codes: Codes, where: str
) -> tuple[dict[str, Score], tuple[str, ...]]:
    """Return what the words of a scoring say, and a note on those that are unknown.

    An unknown word counts as no stage.

    Parameters
    ----------
    codes
        Numbers and words that mean what the user says.
    where
        File, for the message.

    Raises
    ------
    RecordingError
        If numbers could be one stage as well as another.
    """
    counted = Counter(texts)
    plain = {text: spelling(text) for text in counted}
    known = {text: codes.get(word, _word(word)) for text, word in plain.items()}
    unknown = {text for text, score in known.items() if score is None}
    numbers = {text: match for text in unknown if (match := _NUMBER.fullmatch(plain[text]))}
    lettered = any(_is_letter(word) for word in plain.values())
    for text, match in numbers.items():
        if lettered or match["prefix"]:
            known[text] = NON_REM.get(match["number"])
    asked = sorted({m["number"] for text, m in numbers.items() if known[text] is None} & _ASKED)
    if asked:
        raise RecordingError(
            "stages as numbers",
            f"{where} has stages as numbers ({', '.join(asked)}), which differ between programs; "
            f"say what they are: {EXAMPLES}",
        )
    found = {text: Unscored.UNSCORED if one is None else one for text, one in known.items()}
    lost = [text for text, score in known.items() if score is None]
    if not lost:
        return found, ()
    shown = ", ".join(repr(text[:40]) for text in lost[:N_SHOWN])
    n = sum(counted[text] for text in lost)
    return found, (f"words that are no stage and count as unscored: {shown} ({n})",)


def spelling(text: str) -> str:
    """Return a text as codes are looked up: without spaces around it, 2.0 as 2."""
    spaced = " ".join(text.split())
    number = _NUMBER.fullmatch(spaced)
    return number["number"] if number and not number["prefix"] else spaced


def _is_letter(word: str) -> bool:
    """Whether a word is one for W or REM, beside which numbers are stages of non-REM sleep."""
    return _word(word) in (Stage.W, Stage.REM)


def _word(word: str) -> Score | None:
    match = _WORD.fullmatch(word)
    if match is None:
        return None
    core = match["core"].lower()
    if core[-1:].isdigit():
        return NON_REM[core[-1]]
    if core in ("w", "wake", "awake"):
        return Stage.W
    if core.startswith("r"):
        return Stage.REM
    return Unscored.MOVEMENT if core.startswith("m") else Unscored.UNSCORED
