"""Answers: what a model wrote, read as a stage or as none. Never guesses."""

from __future__ import annotations

from collections.abc import Mapping


def parse(raw: str, answers: Mapping[str, str]) -> str | None:
    """Name of the stage that a model's words give, or None.

    White space around the words is left out, and one full stop at their end. What is left must be
    the text of one answer as it is written, or that text in upper or in lower case: neither a
    sentence that mentions a stage, nor a text that two answers share, is an answer.

    Parameters
    ----------
    answers
        Stage name → the text that answers, as :class:`psgimg.builder.dataset.prompts.Prompt` has them.
    """
    said = raw.strip()
    texts = {said, said.removesuffix(".")}
    stages = [
        stage for stage, text in answers.items() if texts & {text, text.upper(), text.lower()}
    ]
    return stages[0] if len(stages) == 1 else None
