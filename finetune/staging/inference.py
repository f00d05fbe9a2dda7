"""Inference: a model's predictions for the pages of a night, which are prepared beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, groupby

from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.files import picture
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune.data.chat import ChatRow, chat_row
from psgimg.finetune.data.context import Context
from psgimg.finetune.inference.fleet import Fleet
from psgimg.finetune.inference.opening import Staging
from psgimg.finetune.inference.predictors import Predictor
from psgimg.finetune.inference.preparing import batches
from psgimg.finetune.metrics.predictions import Answer

Drawn = tuple[UnscoredPage, bytes]

EARLY_PIECES, N_EARLY = 4, 16
"""So many of the first batches are smaller, by this factor: one for each process that prepares them."""
SMALLEST = 16
"""Pages of a batch that has a card at work."""


@dataclass(frozen=True)
class Asked:
    """A page to stage, with its neighbours as far as they follow without a gap.

    Parameters
    ----------
    before, pictures
        Number of neighbours before the page; PNG of all pages in order of time.
    """

    page: UnscoredPage
    before: int
    pictures: tuple[bytes, ...]


@dataclass(frozen=True)
class Questions:
    """Makes the chat rows of pages, in any process.

    Parameters
    ----------
    prompt
        Prompt that the model was trained with.
    context
        Neighbours shown on either side, if they are adjacent without a gap, and how.
    """

    prompt: Prompt
    context: Context

    def __call__(self, some: Sequence[Asked]) -> list[ChatRow]:
        """Decode the pages; one that several questions share is decoded once."""
        decoded = {png: picture.decode(png) for png in {p for one in some for p in one.pictures}}
        return [
            chat_row(
                [decoded[png] for png in one.pictures],
                None,
                self.prompt,
                one.before,
                self.context,
            )
            for one in some
        ]


def answers(
    some: Sequence[Asked],
    fleet: Fleet[Predictor],
    read: Callable[[Sequence[Asked]], list[ChatRow]],
    size: int,
) -> Iterator[list[tuple[UnscoredPage, Answer]]]:
    """Yield the model's answer for each page in chronological order, one batch at a time.

    Parameters
    ----------
    read
        Makes chat rows of pages; see :class:`Questions`.
    size
        Number of pages per batch; of the first ones, fewer.
    """
    tasks = _tasks(some, size)
    with closing(fleet.run(Staging(read), tasks)) as found:
        for task, answered in zip(tasks, found, strict=True):
            yield [(one.page, answer) for one, answer in zip(task, answered, strict=True)]


def _tasks(some: Sequence[Asked], size: int) -> list[list[Asked]]:
    """Return batches, the first ones of them small: a card waits until a process has prepared one."""
    early = min(size, max(size // EARLY_PIECES, SMALLEST))
    first = some[: N_EARLY * early]
    return [*batches(first, early), *batches(some[len(first) :], size)]


def asked(pages: Iterable[Drawn], context: int) -> Iterator[Asked]:
    """Yield each page with its neighbours."""
    for run in _runs(pages):
        window: deque[Drawn | None] = deque(maxlen=2 * context + 1)
        missing = [None] * context
        for entered in chain(missing, run, missing):
            window.append(entered)
            if len(window) <= 2 * context:
                continue
            shown = list(window)
            current = shown[context]
            assert current is not None
            yield Asked(
                page=current[0],
                before=sum(drawn is not None for drawn in shown[:context]),
                pictures=tuple(drawn[1] for drawn in shown if drawn is not None),
            )


def _runs(pages: Iterable[Drawn]) -> Iterator[Iterator[Drawn]]:
    """Group pages into runs of adjacent epochs."""
    number, before = 0, None

    def run_of(drawn: Drawn) -> int:
        nonlocal number, before
        page = drawn[0]
        number += before is not None and not page.follows(before)
        before = page
        return number

    for _, run in groupby(pages, key=run_of):
        yield run
