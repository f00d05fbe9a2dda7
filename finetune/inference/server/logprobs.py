"""Log-probabilities: from those of single tokens, as reported by a server, to the five answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psgimg.builder.stages import STAGE_NAMES

SHARED = 0.01
"""Maximum probability to divide evenly among answers with the same beginning."""


@dataclass(frozen=True)
class Step:
    """One token of an answer.

    Parameters
    ----------
    token
        The token generated.
    log_probs
        Token → natural logarithm of its probability, for this token and its likeliest alternatives.
    """

    token: str
    log_probs: Mapping[str, float]


def probabilities(
    steps: Sequence[Step], answers: Mapping[str, str]
) -> tuple[tuple[float, ...], float] | None:
    """Return the normalised probabilities of the five answers and the logarithm of their total.

    An alternative token counts for the answer that it begins. If it begins several answers (``N``
    where ``W`` was generated), their shares are unknown, and the result is None unless the
    probability is at most ``SHARED``. Answers that no token begins get 0.

    Parameters
    ----------
    answers
        Stage → text of its answer.

    Returns
    -------
    tuple or None
        Probabilities in the order of the stages, and the natural logarithm of their sum before
        normalisation; None if the tokens do not determine them.
    """
    mass = dict.fromkeys(STAGE_NAMES, 0.0)
    generated, path = "", 0.0
    for step in steps:
        for token, log_prob in step.log_probs.items():
            begun = _begun(generated + token, answers)
            if token == step.token or not begun:
                continue
            probability = math.exp(path + log_prob)
            if len(begun) > 1 and probability > SHARED:
                return None
            for stage in begun:
                mass[stage] += probability / len(begun)
        if not _begun(generated + step.token, answers):
            break
        generated, path = generated + step.token, path + step.log_probs[step.token]
        if len(_begun(generated, answers)) == 1:
            break  # the rest of the answer is practically certain
    begun = _begun(generated, answers)
    exact = [stage for stage in begun if answers[stage] == generated.strip()]
    for stage in (exact or begun) if len(exact or begun) == 1 else []:
        mass[stage] += math.exp(path)
    total = sum(mass.values())
    if total == 0:
        return None
    return tuple(mass[stage] / total for stage in STAGE_NAMES), math.log(total)


def _begun(text: str, answers: Mapping[str, str]) -> list[str]:
    """Return the stages whose answer starts with the text."""
    text = text.lstrip()
    return [stage for stage in STAGE_NAMES if answers[stage].startswith(text.rstrip() or text)]
