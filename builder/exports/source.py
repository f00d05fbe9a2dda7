"""Source: read a finished dataset folder page by page, within the memory of one recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.dataset import prompts, validate
from psgimg.builder.dataset.build_json import BuildJson, ShardEntry
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.dataset.schema import FEATURES, SPLITS, Row
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress

ALL = "all"
"""Stands for every split that has pages."""

BATCH = 64
"""Pages converted to Python objects at a time."""

IDENTITY: tuple[Literal["corpus", "subject", "recording", "epoch"], ...] = (
    "corpus",
    "subject",
    "recording",
    "epoch",
)
"""Columns that identify a page."""

UNSAFE = re.compile("[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Source:
    """A dataset folder whose shards match its ``build.json``.

    Parameters
    ----------
    values
        Contents of ``build.json``.
    splits
        The splits to export, in the order of the schema; each has pages.
    """

    folder: Path
    values: BuildJson
    splits: tuple[str, ...]

    @property
    def shards(self) -> list[ShardEntry]:
        """The shards of the splits to export, in order."""
        return [shard for shard in self.values["shards"] if shard["split"] in self.splits]

    @property
    def n_pages(self) -> int:
        """Number of pages in the splits to export."""
        return sum(shard["rows"] for shard in self.shards)

    def pages(self, split: str, progress: Progress) -> Iterator[Row]:
        """Yield every page of a split, without variants: by shard, by recording, and in time order."""
        for shard in self.shards:
            if shard["split"] == split:
                yield from _read(self.folder / shard["path"], progress)


def open_folder(folder: Path, split: str) -> Source:
    """Open a finished dataset folder, for one of its splits or for ``all``.

    Raises
    ------
    BuildError
        If the folder is unfinished, a shard to read is missing or was changed, or the split has no
        pages.
    """
    values = validate.values(folder)
    filled = [name for name in SPLITS if any(shard["split"] == name for shard in values["shards"])]
    if split not in (ALL, *filled):
        raise BuildError(f"--split {split}: {folder} has only {', '.join((ALL, *filled))}")
    source = Source(folder, values, tuple(filled) if split == ALL else (split,))
    validate.check_shards(folder, values, source.shards)
    return source


def open_asked(folder: Path, split: str, prompt: str) -> tuple[Source, Prompt]:
    """Open a finished dataset folder, with a prompt for its pages, by name or YAML file.

    Raises
    ------
    BuildError
        As for ``open_folder``, or if the prompt can't be read.
    """
    asked = prompts.load(prompt)  # a wrong name is refused before the dataset is read
    source = open_folder(folder, split)
    return source, asked.about(source.values["recipe"])


def name(row: Row) -> str:
    """Return a page's name in every export, ``corpus/recording/00012``, independent of the stage.

    It has only letters, digits, ``_`` and ``-``, since for WebDataset a dot starts the extension,
    and a name must not lead out of its folder. Other characters become ``~`` and their code.
    """
    corpus, recording = (
        UNSAFE.sub(lambda match: f"~{ord(match[0]):02X}", part)
        for part in (row["corpus"], row["recording"])
    )
    return f"{corpus}/{recording}/{row['epoch']:05d}"


def identity(row: Row) -> dict[str, Any]:
    """Return what identifies a page, so that a prediction can be matched to its row."""
    return {key: row[key] for key in IDENTITY}


def png(row: Row) -> bytes:
    """Return the page's picture, unchanged.

    Raises
    ------
    BuildError
        If the row has none.
    """
    data = (row["image"] or {}).get("bytes")
    if not data:
        raise BuildError(
            f"epoch {row['epoch']} of {row['recording']} has no picture; {validate.ANEW}"
        )
    return data


def _read(path: Path, progress: Progress) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            for row_group in range(file.num_row_groups):
                for batch in file.iter_batches(BATCH, [row_group], list(FEATURES)):
                    yield from cast("list[Row]", batch.to_pylist())
                    progress.advance(len(batch))
    except (pa.ArrowException, OSError) as error:
        raise BuildError(
            f"{path} can't be read ({' '.join(str(error).split())}); build or download it again"
        ) from error
