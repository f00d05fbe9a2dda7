"""Inference: a model's predictions for the pages of a night, drawn in a thread while the model runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import TYPE_CHECKING

from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.files import picture
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune.data.chat import ChatRow, chat_row
from psgimg.finetune.inference.predictors import Predictor
from psgimg.finetune.inference.prefetch import ahead, batches
from psgimg.finetune.metrics.predictions import Answer

if TYPE_CHECKING:
    from PIL import Image

Drawn = tuple[UnscoredPage, bytes]


def answers(
    pages: Iterable[Drawn], predictor: Predictor, prompt: Prompt, context: int, batch_size: int
) -> Iterator[list[tuple[UnscoredPage, Answer]]]:
    """Yield the model's answer for each page in chronological order, one batch at a time.

    Parameters
    ----------
    pages
        Pages with their PNG in chronological order; consumed lazily.
    predictor
        The model that answers.
    prompt
        Prompt that the model was trained with.
    context
        Number of neighbouring pages shown on either side, if they are adjacent without a gap.
    batch_size
        Number of pages per batch.
    """
    rows = questions(pages, prompt, context)
    prepared = (
        ([page for page, _ in batch], predictor.prepare([row for _, row in batch]))
        for batch in batches(rows, batch_size)
    )
    for batch_pages, encoded in ahead(prepared):
        yield list(zip(batch_pages, predictor.answer(encoded), strict=True))


def questions(
    pages: Iterable[Drawn], prompt: Prompt, context: int
) -> Iterator[tuple[UnscoredPage, ChatRow]]:
    """Yield each page with its chat, holding no more pictures in memory than one chat needs."""
    for run in _runs(pages):
        window: deque[tuple[UnscoredPage, Image.Image] | None] = deque(maxlen=2 * context + 1)
        missing = [None] * context
        decoded = ((page, picture.decode(png)) for page, png in run)
        for entered in chain(missing, decoded, missing):
            window.append(entered)
            if len(window) <= 2 * context:
                continue
            shown = list(window)
            before, current, after = shown[:context], shown[context], shown[context + 1 :]
            assert current is not None
            yield (
                current[0],
                chat_row(
                    [page[1] for page in shown if page],
                    None,
                    prompt,
                    before=sum(page is not None for page in before),
                    after=sum(page is not None for page in after),
                    wanted_before=context,
                    wanted_after=context,
                ),
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
