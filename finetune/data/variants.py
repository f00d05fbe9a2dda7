"""Variants: pages drawn from changed signals, which a training shows in place of the pages as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.dataset.schema import variant_columns
from psgimg.builder.errors import BuildError
from psgimg.builder.signals import variant_spec
from psgimg.finetune.data import pictures
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.data.context import Context
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.pictures import Pictures, Shard

if TYPE_CHECKING:
    from psgimg.finetune.data.page_set import Edit


@dataclass(frozen=True, eq=False)
class Looks:
    """A set of pages with the variants among which a training draws.

    Parameters
    ----------
    sets
        The pages as recorded, then the same rows with the pictures of each variant.
    n_looks : (recordings,) int64
        How many of these each recording has.
    """

    sets: tuple[PageSet, ...]
    n_looks: npt.NDArray[np.int64]

    @classmethod
    def of(cls, pages: PageSet, *, varied: bool) -> Looks:
        """Return pages with their variants, or without them.

        Raises
        ------
        BuildError
            If a shard has no column of a variant that ``build.json`` states.
        """
        n_variants = Report(pages.source.build).n_variants if varied else 0
        varieties = [
            replace(pages, pictures=_pictures(pages, name)) for name in variant_columns(n_variants)
        ]
        drawn = {
            (fact["corpus"], fact["recording"]): min(fact.get("variants", 0), n_variants)
            for fact in pages.source.build["recordings"]
        }
        keys = [(key.corpus, key.recording) for key in pages.index.recordings]
        n_looks = np.array([1 + drawn.get(key, 0) for key in keys], np.int64)
        return cls((pages, *varieties), n_looks)

    @property
    def specs(self) -> tuple[str, ...]:
        """How the signals of each variant were changed."""
        stated = self.sets[0].source.build["fixed"].get(variant_spec.KEY, [])
        return tuple(one["spec"] for one in stated[: len(self.sets) - 1])

    def line(self) -> str:
        """Return what a training draws from, to be printed; empty if the dataset has no variants."""
        if not (n_variants := Report(self.sets[0].source.build).n_variants):
            return ""
        drawn = "each page as recorded, or a variant of it, all equally often"
        return f"variants          {f'{n_variants}: {drawn}' if self.specs else 'not shown (--variants false)'}"

    def chosen(self, row: int, rng: np.random.Generator) -> int:
        """Draw which of the pictures of a row is shown, 0 for the page as recorded."""
        return int(rng.integers(self.n_looks[self.sets[0].index.recording[row]]))

    def chat_rows(
        self,
        rows: Sequence[int],
        looks: Sequence[int],
        prompt: Prompt,
        context: Context,
        at_most: Sequence[tuple[int, int]],
        edit: Edit,
    ) -> list[ChatRow]:
        """Return the prompts and answers of some rows; a page and its neighbours look alike.

        Parameters
        ----------
        looks
            Which of the pictures of each row is shown.
        context, at_most, edit
            See :meth:`psgimg.finetune.data.page_set.PageSet.chat_rows`.
        """
        found: dict[int, ChatRow] = {}
        for look in sorted(set(looks)):
            places = [place for place, one in enumerate(looks) if one == look]
            some = self.sets[look].chat_rows(
                [rows[place] for place in places],
                prompt,
                context,
                [at_most[place] for place in places],
                _at(places, edit),
            )
            found.update(zip(places, some, strict=True))
        return [found[place] for place in range(len(rows))]


def _at(places: Sequence[int], edit: Edit) -> Edit:
    """Return ``edit`` for some rows, given their places among all."""
    return lambda i, pages: edit(places[i], pages)


def _pictures(pages: PageSet, name: str) -> Pictures:
    """Return the pictures of a variant."""
    return Pictures([_located(shard.path, f"{name}.bytes") for shard in pages.index.shards])


def _located(path: Path, column: str) -> Shard:
    try:
        with pq.ParquetFile(path) as file:
            return pictures.located(path, file, column)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BuildError(
            f"{path}: {column.partition('.')[0]} can't be read ({' '.join(str(error).split())}); build "
            "or download it again"
        ) from error
