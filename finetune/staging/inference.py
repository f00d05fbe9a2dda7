"""Asking: the pages of a night put to a model, drawn in a thread while it is busy."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, count, groupby

from PIL import Image
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune.data.chat import ChatRow, chat_row
from psgimg.finetune.inference.predictors import Asker
from psgimg.finetune.inference.prefetch import ahead, batches
from psgimg.finetune.metrics.predictions import Answer

Drawn = tuple[UnscoredPage, bytes]


def answers(
    pages: Iterable[Drawn], asker: Asker, prompt: Prompt, context: int, batch_size: int
) -> Iterator[list[tuple[UnscoredPage, Answer]]]:
    """What the model says of each page, a batch at a time, in order of time.

    Parameters
    ----------
    pages
        Pages with their PNG, in order of time; they are drawn as they are asked for.
    context
        Pages shown on either side, where they follow without a gap.
    """
    rows = questions(pages, prompt, context)
    prepared = (
        ([page for page, _ in batch], asker.prepare([row for _, row in batch]))
        for batch in batches(rows, batch_size)
    )
    for asked, encoded in ahead(prepared):
        yield list(zip(asked, asker.answer(encoded), strict=True))


def questions(
    pages: Iterable[Drawn], prompt: Prompt, context: int
) -> Iterator[tuple[UnscoredPage, ChatRow]]:
    """Each page with what is asked about it; not more pictures are kept than a question has."""
    for run in _runs(pages):
        window: deque[tuple[UnscoredPage, Image.Image] | None] = deque(maxlen=2 * context + 1)
        missing = [None] * context
        decoded = ((page, _decoded(png)) for page, png in run)
        for entered in chain(missing, decoded, missing):
            window.append(entered)
            if len(window) <= 2 * context:
                continue
            shown = list(window)
            before, asked, after = shown[:context], shown[context], shown[context + 1 :]
            assert asked is not None
            yield (
                asked[0],
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
    """Pages that follow one another without a gap, together."""
    places = count()
    for _, run in groupby(pages, key=lambda drawn: drawn[0].epoch - next(places)):
        yield run


def _decoded(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB")
