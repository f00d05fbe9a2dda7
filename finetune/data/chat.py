"""Chat: a page and its neighbours as the prompt and completion that TRL trains on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_CONTEXT = 5
"""Maximum neighbours on either side. Eleven clinical pages are some 5,000 image tokens."""

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


class Message(TypedDict):
    """One turn of plain text; the trainer and the processor insert the pictures."""

    role: str
    content: str


class ChatRow(TypedDict):
    """A question about a page and its answer; ``completion`` is empty without a label.

    The trainer inserts the pictures before the text of the user, in order.
    """

    images: list[Image]
    prompt: list[Message]
    completion: list[Message]


def messages(
    prompt: Prompt, before: int, after: int, wanted_before: int, wanted_after: int
) -> list[Message]:
    """Return the system and user turns about a page.

    With neighbours, the question is preceded by which of the pictures is the page to stage, and by
    how many neighbours are missing on either side.

    Parameters
    ----------
    before, after
        Neighbours shown. The ``before + 1 + after`` pictures are in order of time.
    wanted_before, wanted_after
        Neighbours requested.

    Raises
    ------
    BuildError
        If more than ``MAX_CONTEXT`` neighbours are requested on a side.
    ValueError
        If more neighbours are shown than requested, or a number is negative.
    """
    check_context(max(wanted_before, wanted_after))
    if not (0 <= before <= wanted_before and 0 <= after <= wanted_after):
        raise ValueError(
            f"{before}, {after} neighbours shown of {wanted_before}, {wanted_after} requested"
        )
    words = prompt.question
    if wanted_before or wanted_after:
        parts = (
            _which(before, after),
            _missing(before, wanted_before, "before"),
            _missing(after, wanted_after, "after"),
            "The question is about that page alone." if before or after else "",
        )
        words = " ".join(part for part in parts if part) + "\n\n" + words
    system = [Message(role="system", content=prompt.system)] if prompt.system else []
    return [*system, Message(role="user", content=words)]


def chat_row(
    images: Sequence[Image],
    stage: str | None,
    prompt: Prompt,
    before: int = 0,
    after: int = 0,
    wanted_before: int = 0,
    wanted_after: int = 0,
) -> ChatRow:
    """Return one row of a fine-tuning dataset.

    Parameters
    ----------
    images
        RGB, in order of time: ``before`` neighbours, the page, ``after`` neighbours.
    stage
        Name of the stage; None leaves ``completion`` empty.

    Raises
    ------
    ValueError
        If the number of pictures is not ``before + 1 + after``.
    """
    if len(images) != before + 1 + after:
        raise ValueError(f"{len(images)} pictures for {before} + 1 + {after} pages")
    completion = [] if stage is None else [Message(role="assistant", content=prompt.answers[stage])]
    return ChatRow(
        images=list(images),
        prompt=messages(prompt, before, after, wanted_before, wanted_after),
        completion=completion,
    )


def check_context(context: int) -> None:
    """Raise BuildError unless a number of neighbours is 0 to ``MAX_CONTEXT``."""
    if not 0 <= context <= MAX_CONTEXT:
        raise BuildError(
            f"context {context}: must be the number of pages on either side, 0 to {MAX_CONTEXT}"
        )


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


def _missing(shown: int, wanted: int, side: str) -> str:
    """Return the sentence about neighbours missing on a side; empty if none is missing."""
    if shown == wanted:
        return ""
    if shown == 0:
        return f"There is no page {side} it."
    are = "is" if shown == 1 else "are"
    return f"Only {_NUMBERS[shown][0]} of the {_NUMBERS[wanted][0]} pages {side} it {are} there."
