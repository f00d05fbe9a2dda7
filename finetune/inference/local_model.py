"""Local model: a model on one device answers batch after batch, of pages that are prepared ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import torch
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import preparing
from psgimg.finetune.inference.encoding import Encoded, Encoder
from psgimg.finetune.metrics.predictions import Answer

Batch = Sequence[Any]
"""What a batch of pages is read from, such as their row numbers."""


@dataclass(eq=False)
class LocalModel:
    """A model on one device, as a predictor.

    Parameters
    ----------
    encode
        Prepares the pages of a batch, in any process.
    begin
        Called with the first page before any is answered.
    answer
        Returns one answer per page of a prepared batch.
    loaders
        Number of processes that prepare pages; 0 for a thread.
    note
        Called with a line for the user.
    ready
        Called while the first batch is prepared, for what the model does only once.
    constant
        Whether every batch is filled up to the size of the largest, for compiled layers.
    """

    device: torch.device
    encode: Encoder
    begin: Callable[[ChatRow], None]
    answer: Callable[[Encoded], list[Answer]]
    loaders: int
    note: Callable[[str], None]
    ready: Callable[[], None] = lambda: None
    constant: bool = False
    _most: int | None = None

    def __call__(
        self, read: Callable[[Any], list[ChatRow]], tasks: Sequence[Batch]
    ) -> Iterator[list[Answer]]:
        """Yield the answers to each task: the pages that ``read`` returns for it.

        Where a batch does not fit into the memory of the device, it is halved, and so are all others.

        Raises
        ------
        BuildError
            If a page can't be read, or not even one fits.
        """
        if not tasks:
            return
        first = read(tasks[0][:1])
        self.begin(first[0])
        size = max(map(len, tasks))
        loaders = self._with_room(self.encode(first), size)
        n_done = 0
        while n_done < len(tasks):
            split = [_pieces(task, self._most) for task in tasks[n_done:]]
            make = _Make(read, self.encode, (self._most or size) if self.constant else 0)
            pieces = [piece for some in split for piece in some]
            pinned = self.device.type == "cuda"
            batches = preparing.prepared(
                make, pieces, loaders, pinned=pinned, meanwhile=self._get_ready
            )
            with closing(batches) as made:
                for some in split:
                    answers = self._answers(made, some)
                    if answers is None:
                        break
                    yield answers
                    n_done += 1

    def _get_ready(self) -> None:
        with suppress(torch.OutOfMemoryError):  # answering the first batch will find it out
            self.ready()

    def _answers(self, made: Iterator[Encoded], pieces: Sequence[Batch]) -> list[Answer] | None:
        """Return the answers to the pieces of a task; None if the device has not enough memory."""
        answers: list[Answer] = []
        for piece in pieces:
            encoded = next(made)
            try:
                answers += self.answer(encoded)[: len(piece)]
            except torch.OutOfMemoryError:
                n_pages = len(piece)
            else:
                continue
            self._halve(n_pages)  # outside of the exception, which holds on to the memory
            return None
        return answers

    def _halve(self, n_pages: int) -> None:
        """Answer at most half as many pages at a time from now on."""
        if n_pages == 1:
            raise BuildError(
                f"{self.device} has not enough memory for one page; use a larger card or a smaller "
                "model, pass --dtype bfloat16, or end what else runs there"
            )
        self._most = n_pages // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.note(
            f"{n_pages} pages don't fit into the memory of {self.device}: going on with "
            f"{self._most} at a time (--batch-size {self._most})"
        )

    def _with_room(self, one: Encoded, size: int) -> int:
        """Return the number of processes that shared memory has room for."""
        n_bytes = size * sum(v.nbytes for v in one.values() if isinstance(v, torch.Tensor))
        room = preparing.in_shared_memory(self.loaders, n_bytes)
        if room < self.loaders:
            self.note(
                f"{preparing.SHARED_MEMORY} has room for {room} of {self.loaders} processes that "
                "prepare pages; in a container, start it with --shm-size=8g"
            )
        return room


@dataclass(frozen=True)
class _Make:
    """Reads and encodes the pages of a task, in any process; ``size`` pages if that is not 0."""

    read: Callable[[Any], list[ChatRow]]
    encode: Encoder
    size: int

    def __call__(self, task: Batch) -> Encoded:
        rows = self.read(task)
        return self.encode([*rows, *rows[-1:] * (self.size - len(rows))])


def _pieces(task: Batch, most: int | None) -> list[Batch]:
    """Return a task in pieces of at most some pages."""
    size = most or len(task)
    return [task[start : start + size] for start in range(0, len(task), size)]
