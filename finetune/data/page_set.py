"""Page set: a split of a dataset, on disk or on the Hub, as rows for training and inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from psgimg.builder.card import card_metadata
from psgimg.builder.corpora import registry
from psgimg.builder.dataset.build_json import BuildJson
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.files import picture
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import page_index, sampling, votes
from psgimg.finetune.data.chat import ChatRow, chat_row
from psgimg.finetune.data.context import Context
from psgimg.finetune.data.page_index import NO_STAGE, Index
from psgimg.finetune.data.pictures import Pictures
from psgimg.finetune.data.source import Source, find
from psgimg.finetune.data.votes import Votes
from psgimg.finetune.lanes.pattern import Drawn

if TYPE_CHECKING:
    import datasets
    from PIL import Image

    Edit = Callable[[int, list[Image.Image]], list[Image.Image]]

Rows = npt.NDArray[np.int64]


class Page(NamedTuple):
    """Identity and stages of a page, in the order of the columns of predictions.

    ``stage`` is that of the reference scorer, ``stage_2`` that of a second scorer, if any.
    """

    corpus: str
    subject: str
    recording: str
    epoch: int
    stage: str
    stage_2: str | None


class Batch(NamedTuple):
    """Some pages with their chat rows."""

    rows: Rows
    chat: list[ChatRow]


@dataclass(frozen=True, eq=False)
class PageSet:
    """A split of a dataset. Pictures stay on disk until they are needed; the rest is indexed.

    Rows are numbered through the whole split, grouped by recording, in order of time. ``rows``
    selects those for training or inference; their neighbours may be any rows.

    Parameters
    ----------
    pictures
        PNG files of every row.
    rows : (n,) int64
        The selected rows, ascending.
    """

    source: Source
    index: Index
    pictures: Pictures
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def build(self) -> BuildJson:
        """Contents of ``build.json``: recipe, policy, corpora; restricted if any row is."""
        policy = Policy.RESTRICTED if self.restricted else Policy.OPEN
        return {**self.source.build, "policy": policy.value}

    @property
    def restricted(self) -> list[str]:
        """The corpora whose pictures may not be shared, by the rows and by ``build.json``."""
        keys = [(key.corpus, key.recording) for key in self.index.recordings]
        stated = card_metadata.restricted(self.source.build["corpora"])
        return sorted({*registry.restricted(keys), *stated})

    @property
    def labels(self) -> npt.NDArray[np.int8]:
        """Stages of ``rows``, shape (n,)."""
        return self.index.label[self.rows]

    def page(self, row: int) -> Page:
        """Return the identity and stages of a row."""
        key = self.index.recordings[self.index.recording[row]]
        first, second = self.index.label[row], self.index.label_2[row]
        return Page(
            key.corpus,
            key.subject,
            key.recording,
            int(self.index.epoch[row]),
            STAGE_NAMES[first],
            None if second == NO_STAGE else STAGE_NAMES[second],
        )

    @cached_property
    def votes(self) -> Votes:
        """How many scorers chose each stage, by corpus, recording and epoch."""
        return votes.read(self.source)

    def lanes(self, row: int) -> Drawn:
        """Return the derivations drawn on a row's page, from top to bottom; None if absent."""
        return self.index.lanes[self.index.recording[row]]

    def neighbours(self, row: int, k: int) -> tuple[list[int | None], list[int | None]]:
        """See :meth:`psgimg.finetune.data.page_index.Index.neighbours`."""
        return self.index.neighbours(row, k)

    def images(self, rows: Sequence[int]) -> list[Image.Image]:
        """Decode the pictures of some rows as RGB; repeated rows are decoded once.

        Raises
        ------
        BuildError
            If a picture can't be decoded.
        """
        distinct = sorted(set(rows))
        files = self.pictures.read(distinct)
        decoded = {row: self._decoded(row, file) for row, file in zip(distinct, files, strict=True)}
        return [decoded[row] for row in rows]

    def chat_rows(
        self,
        rows: Sequence[int],
        prompt: Prompt,
        context: Context,
        at_most: Sequence[tuple[int, int]] | None = None,
        edit: Edit | None = None,
    ) -> list[ChatRow]:
        """Return the prompts and answers of some rows.

        Parameters
        ----------
        context
            Neighbours shown on either side, as far as they follow without a gap, and how.
        at_most
            For each row, the most neighbours shown before and after it; the others are treated as
            missing. None sets no such limits.
        edit
            Given the place of a row in ``rows`` and its pages, returns these changed, before they are
            arranged in pictures.
        """
        limits = at_most or [(context.pages, context.pages)] * len(rows)
        sides = [
            _nearest(*self.neighbours(row, context.pages), *limit)
            for row, limit in zip(rows, limits, strict=True)
        ]
        shown = [[*before, row, *after] for row, (before, after) in zip(rows, sides, strict=True)]
        images = iter(self.images([row for pages in shown for row in pages]))
        found = []
        for i, (row, (before, _)) in enumerate(zip(rows, sides, strict=True)):
            pages = [next(images) for _ in shown[i]]
            stage = STAGE_NAMES[self.index.label[row]]
            edited = pages if edit is None else edit(i, pages)
            found.append(chat_row(edited, stage, prompt, len(before), context))
        return found

    def chat(
        self, rows: Sequence[int] | Rows, prompt: Prompt, context: Context
    ) -> datasets.Dataset:
        """Return rows in the format of TRL's ``SFTTrainer``: ``images``, ``prompt``, ``completion``.

        Rows keep their order and may be repeated; pictures are decoded on access.
        """
        from datasets import Dataset

        # The column is named like one that the transform returns: the trainer removes columns
        # that its model does not use.
        numbers = Dataset.from_dict({"images": np.asarray(rows, np.int64)})
        return numbers.with_transform(_Chat(self, prompt, context))

    def batches(self, size: int, prompt: Prompt, context: Context) -> Iterator[Batch]:
        """Yield all of ``rows`` in batches of ``size``, in order of recording and time."""
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            yield Batch(rows, self.chat_rows(rows.tolist(), prompt, context))

    def _decoded(self, row: int, file: bytes | None) -> Image.Image:
        try:
            if file is None:
                raise ValueError("it is missing")
            return picture.decode(file)
        except ValueError as error:
            page = self.page(row)
            raise BuildError(
                f"{self.source}: the picture of {page.recording}, epoch {page.epoch} (row {row}) "
                f"can't be decoded ({' '.join(str(error).split())}); build the dataset again"
            ) from error


@dataclass(frozen=True, eq=False)
class _Chat:
    """Transform from row numbers to chat rows; a class, because data loaders pickle it."""

    pages: PageSet
    prompt: Prompt
    context: Context

    def __call__(self, batch: Mapping[str, list[int]]) -> dict[str, list[Any]]:
        rows = self.pages.chat_rows(batch["images"], self.prompt, self.context)
        return {
            "images": [row["images"] for row in rows],
            "prompt": [row["prompt"] for row in rows],
            "completion": [row["completion"] for row in rows],
        }


def load(
    dataset: str,
    config: str | None,
    split: str,
    revision: str | None = None,
    *,
    fold: int | None = None,
    n_subjects: int | None = None,
    max_per_recording: int | None = None,
    seed: int = 0,
    beside: PageSet | None = None,
) -> PageSet:
    """Open a split of a dataset; its pictures are read where they lie, when they are needed.

    Parameters
    ----------
    dataset
        A folder written by `psgimg build`, or the id of a dataset on the Hub.
    config
        Name of a corpus; None means all.
    fold
        Fold of a cross-validation, of which ``split`` is a part: its rows are selected from those of
        the whole dataset.
    n_subjects, max_per_recording
        Number of subjects and maximum pages per recording to select; see
        :func:`psgimg.finetune.data.sampling.subset`. None means all.
    beside
        Another part of the same dataset. If both are of a fold, they share the index of all pages.

    Raises
    ------
    BuildError
        If there is no such split, or the dataset is incomplete or was not built by psgimg.
    """
    source = find(dataset, config, split, revision, fold)
    if beside is not None and beside.source.shards == source.shards:
        index, pictures = beside.index, beside.pictures
    else:
        index = page_index.read(source)
        pictures = Pictures(index.shards)
    own = [source.has(key.corpus, key.subject) for key in index.recordings]
    rows = sampling.subset(
        index.recording, index.recordings, n_subjects, max_per_recording, seed, own
    )
    return PageSet(source, index, pictures, rows)


def _nearest(
    before: list[int | None], after: list[int | None], n_before: int, n_after: int
) -> tuple[list[int], list[int]]:
    """Return the neighbours that exist, at most some on each side, the nearest ones."""
    earlier = [row for row in before if row is not None]
    later = [row for row in after if row is not None]
    return earlier[max(len(earlier) - n_before, 0) :], later[:n_after]
