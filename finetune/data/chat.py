"""Chat: a page and its neighbours as the prompt and completion that TRL trains on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from psgimg.builder.dataset.prompts import Message, Prompt
from psgimg.finetune.data.context import ALONE, Context

if TYPE_CHECKING:
    from PIL.Image import Image

_NUMBERS = {
    1: ("one", "first"),
    2: ("two", "second"),
    3: ("three", "third"),
    4: ("four", "fourth"),
    5: ("five", "fifth"),
    6: ("six", "sixth"),
    7: ("seven", "seventh"),
    8: ("eight", "eighth"),
    9: ("nine", "ninth"),
    10: ("ten", "tenth"),
    11: ("eleven", "eleventh"),
}


class ChatRow(TypedDict):
    """A question about a page and its answer; ``completion`` is empty without a label.

    The trainer and the processor insert the pictures before the text of the user, in order.
    """

    images: list[Image]
    prompt: list[Message]
    completion: list[Message]


def messages(
    prompt: Prompt, before: int = 0, after: int = 0, context: Context = ALONE
) -> list[Message]:
    """Return the system and user turns about a page.

    With neighbours, the question is preceded by which of the pages is the one to stage, and by how
    many neighbours are missing on either side.

    Parameters
    ----------
    before, after
        Neighbours shown. The ``before + 1 + after`` pages are in order of time.
    context
        Neighbours requested, and how they are shown.

    Raises
    ------
    ValueError
        If more neighbours are shown than requested, or a number is negative.
    """
    if not (0 <= before <= context.pages and 0 <= after <= context.pages):
        raise ValueError(f"{before}, {after} neighbours shown of {context.pages} requested")
    words = prompt.question
    if context.pages:
        parts = (
            _beside(before, after) if context.in_one_picture else _which(before, after),
            _missing(before, context.pages, "before"),
            _missing(after, context.pages, "after"),
            "The question is about that page alone." if before or after else "",
        )
        words = " ".join(part for part in parts if part) + "\n\n" + words
    return prompt.turns(words)


def chat_row(
    pages: Sequence[Image],
    stage: str | None,
    prompt: Prompt,
    before: int = 0,
    context: Context = ALONE,
) -> ChatRow:
    """Return one row of a fine-tuning dataset.

    Parameters
    ----------
    pages
        RGB, in order of time: ``before`` neighbours, the page, and the neighbours after it.
    stage
        Name of the stage; None leaves ``completion`` empty.
    context
        Neighbours requested on either side, and how they are shown.

    Raises
    ------
    ValueError
        If there are more neighbours on a side than requested, or no page.
    """
    asked = messages(prompt, before, len(pages) - 1 - before, context)
    completion = [] if stage is None else [Message(role="assistant", content=prompt.answers[stage])]
    return ChatRow(images=context.pictures(pages, before), prompt=asked, completion=completion)


def _which(before: int, after: int) -> str:
    """Return the sentence that names the page to stage among the pictures."""
    n_pages = before + 1 + after
    if n_pages == 1:
        return "There is one page, the one to stage."
    pages, place = f"{_NUMBERS[n_pages][0]} pages", _NUMBERS[before + 1][1]
    return (
        f"These are {pages} of one recording in order of time. "
        f"The {place} of {pages} is the one to stage."
    )


def _beside(before: int, after: int) -> str:
    """Return the sentences that name the page to stage in the one picture of all pages."""
    n_pages = before + 1 + after
    if n_pages == 1:
        return "The page between the two blue bars is the one to stage."
    return (
        f"The picture shows {_NUMBERS[n_pages][0]} pages of one recording in order of time. "
        "The wide page between the two blue bars is the one to stage; its neighbours are narrowed in "
        "time."
    )


def _missing(shown: int, wanted: int, side: str) -> str:
    """Return the sentence about neighbours missing on a side; empty if none is missing."""
    if shown == wanted:
        return ""
    if shown == 0:
        return f"There is no page {side} it."
    are = "is" if shown == 1 else "are"
    return f"Only {_NUMBERS[shown][0]} of the {_NUMBERS[wanted][0]} pages {side} it {are} there."
