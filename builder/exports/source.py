"""Source: a finished dataset folder, read page by page in the memory of one recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.dataset import validate
from psgimg.builder.dataset.build_json import BuildJson, ShardEntry
from psgimg.builder.dataset.schema import SPLITS, Row
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress

ALL = "all"
"""Every split that has a page."""

BATCH = 64
"""Pages that are Python objects at once."""

"""Told how many pages were written since it was last told."""

UNSAFE = re.compile("[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Source:
    """A dataset folder that holds what its ``build.json`` says.

    Parameters
    ----------
    values
        What ``build.json`` says.
    splits
        The splits wanted, in the order of the contract; each has a page.
    """

    folder: Path
    values: BuildJson
    splits: tuple[str, ...]

    @property
    def shards(self) -> list[ShardEntry]:
        """The shards of the splits wanted, in order."""
        return [shard for shard in self.values["shards"] if shard["split"] in self.splits]

    @property
    def n_pages(self) -> int:
        """Pages in the splits wanted."""
        return sum(shard["rows"] for shard in self.shards)

    def pages(self, split: str, progress: Progress) -> Iterator[Row]:
        """Every page of a split: shard by shard, a recording after the other, in order of time."""
        for shard in self.shards:
            if shard["split"] == split:
                yield from _read(self.folder / shard["path"], progress)


def open_folder(folder: Path, split: str) -> Source:
    """Open a finished dataset folder, for one of its splits or for ``all``.

    Raises
    ------
    BuildError
        If the folder was not finished, a shard that will be read is missing or not as it was
        built, or the split has no page.
    """
    values = validate.values(folder)
    filled = [name for name in SPLITS if any(shard["split"] == name for shard in values["shards"])]
    if split not in (ALL, *filled):
        raise BuildError(f"--split {split}: {folder} has {', '.join((ALL, *filled))}")
    source = Source(folder, values, tuple(filled) if split == ALL else (split,))
    validate.check_shards(folder, values, source.shards)
    return source


def name(row: Row) -> str:
    """``corpus/recording/00012``: a page's name in every export. It says nothing of the stage.

    Only letters, digits, ``_`` and ``-``: to WebDataset a dot begins the extension, and a name must
    not lead out of its folder. Anything else is written as ``~`` and its number.
    """
    corpus, recording = (
        UNSAFE.sub(lambda found: f"~{ord(found[0]):02X}", part)
        for part in (row["corpus"], row["recording"])
    )
    return f"{corpus}/{recording}/{row['epoch']:05d}"


def png(row: Row) -> bytes:
    """The page's picture, as it lies in the dataset."""
    return cast(bytes, row["image"]["bytes"])


def _read(path: Path, progress: Progress) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            for row_group in range(file.num_row_groups):
                for batch in file.iter_batches(BATCH, row_groups=[row_group]):
                    yield from cast("list[Row]", batch.to_pylist())
                    progress.advance(len(batch))
    except (pa.ArrowException, OSError) as error:
        raise BuildError(
            f"{path} can't be read ({' '.join(str(error).split())}); build or fetch it anew"
        ) from error
