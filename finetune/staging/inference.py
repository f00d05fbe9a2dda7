"""Inference: a model's predictions for the pages of a night, which are drawn while it is loaded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, groupby

from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.files import picture
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune.data.chat import ChatRow, chat_row
from psgimg.finetune.inference.fleet import Fleet
from psgimg.finetune.inference.opening import Staging
from psgimg.finetune.inference.predictors import Predictor
from psgimg.finetune.inference.preparing import batches
from psgimg.finetune.metrics.predictions import Answer

Drawn = tuple[UnscoredPage, bytes]


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
        Number of neighbouring pages shown on either side, if they are adjacent without a gap.
    """

    prompt: Prompt
    context: int

    def __call__(self, some: Sequence[Asked]) -> list[ChatRow]:
        """Decode the pages; one that several questions share is decoded once."""
        decoded = {png: picture.decode(png) for png in {p for one in some for p in one.pictures}}
        return [
            chat_row(
                [decoded[png] for png in one.pictures],
                None,
                self.prompt,
                before=one.before,
                after=len(one.pictures) - 1 - one.before,
                wanted_before=self.context,
                wanted_after=self.context,
            )
            for one in some
        ]


@contextmanager
def drawing(pages: Iterable[Drawn], context: int) -> Iterator[Future[list[Asked]]]:
    """Draw pages in a thread, and yield what will be all of them."""
    with ThreadPoolExecutor(1) as worker:
        yield worker.submit(lambda: list(asked(pages, context)))


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
        Number of pages per batch.
    """
    tasks = list(batches(some, size))
    with closing(fleet.run(Staging(read), tasks)) as found:
        for task, answered in zip(tasks, found, strict=True):
            yield [(one.page, answer) for one, answer in zip(task, answered, strict=True)]


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
