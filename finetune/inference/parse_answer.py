"""Parsing of answers: from the text that a model generated to a stage, or to none if unclear."""

from __future__ import annotations

from collections.abc import Mapping


def parse(raw: str, answers: Mapping[str, str]) -> str | None:
    """Return the name of the stage that a generated text states, or None.

    Surrounding white space and one full stop at the end are ignored. The rest must be the text of
    an answer as written, in upper or in lower case. A sentence that mentions a stage, or a text
    shared by two answers, is not an answer.

    Parameters
    ----------
    answers
        Stage name → text of its answer, see :class:`psgimg.builder.dataset.prompts.Prompt`.
    """
    stripped = raw.strip()
    texts = {stripped, stripped.removesuffix(".")}
    stages = [
        stage for stage, text in answers.items() if texts & {text, text.upper(), text.lower()}
    ]
    return stages[0] if len(stages) == 1 else None
