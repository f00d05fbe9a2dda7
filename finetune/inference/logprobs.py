"""Log-probabilities that a server tells of single tokens, read as probabilities of the five answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psgimg.builder.stages import STAGE_NAMES

SHARED = 0.01
"""Probability that may be shared out evenly among answers that begin alike."""


@dataclass(frozen=True)
class Step:
    """One token of an answer.

    Parameters
    ----------
    token
        The token that was said.
    log_probs
        Token → natural logarithm of its probability, for that one and those that were likeliest
        in its place.
    """

    token: str
    log_probs: Mapping[str, float]


def probabilities(
    steps: Sequence[Step], answers: Mapping[str, str]
) -> tuple[tuple[float, ...], float] | None:
    """Probabilities of the five answers and the logarithm of their sum before they are made 1.

    A token in another's place counts for the answer that it begins. Where it begins several (``N``
    where ``W`` was said) how they share it is not told, and so nothing is known: None, unless it is
    less than ``SHARED``. An answer that none of the tokens begins gets 0.

    Parameters
    ----------
    answers
        Stage → text.
    """
    mass = dict.fromkeys(STAGE_NAMES, 0.0)
    said, path = "", 0.0
    for step in steps:
        for token, log_prob in step.log_probs.items():
            begun = _begun(said + token, answers)
            if token == step.token or not begun:
                continue
            probability = math.exp(path + log_prob)
            if len(begun) > 1 and probability > SHARED:
                return None
            for stage in begun:
                mass[stage] += probability / len(begun)
        if not _begun(said + step.token, answers):
            break
        said, path = said + step.token, path + step.log_probs[step.token]
        if len(_begun(said, answers)) == 1:
            break  # what follows in the same answer is as good as certain
    begun = _begun(said, answers)
    exact = [stage for stage in begun if answers[stage] == said.strip()]
    for stage in (exact or begun) if len(exact or begun) == 1 else []:
        mass[stage] += math.exp(path)
    total = sum(mass.values())
    if total == 0:
        return None
    return tuple(mass[stage] / total for stage in STAGE_NAMES), math.log(total)


def _begun(text: str, answers: Mapping[str, str]) -> list[str]:
    """Stages whose answer the text begins, or is."""
    text = text.lstrip()
    return [stage for stage in STAGE_NAMES if answers[stage].startswith(text.rstrip() or text)]
