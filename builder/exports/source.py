"""Source: a finished dataset folder, read page by page in the memory of one recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder import report, shards
from psgimg.builder.errors import BuildError
from psgimg.builder.rows import SPLITS, Row

ALL = "all"
"""Every split that has a page."""

BATCH = 64
"""Pages that are Python objects at once."""

Progress = Callable[[int], None]
"""Told how many pages were written since it was last told."""

UNSAFE = re.compile("[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Source:
    """A dataset folder that holds what its ``build.json`` says.

    Parameters
    ----------
    values
        What ``build.json`` says, as :class:`psgimg.builder.report.Report` lists it.
    splits
        The splits wanted, in the order of the contract; each has a page.
    """

    folder: Path
    values: Mapping[str, Any]
    splits: tuple[str, ...]

    @property
    def shards(self) -> list[Mapping[str, Any]]:
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
        If the folder was not finished, a shard is missing, torn or of other rows than
        ``build.json`` says, or the split has no page.
    """
    values = _values(folder)
    filled = [name for name in SPLITS if any(shard["split"] == name for shard in values["shards"])]
    if split not in (ALL, *filled):
        raise BuildError(f"--split {split}: {folder} has {', '.join((ALL, *filled))}")
    _check_shards(folder, values["shards"])
    return Source(folder, values, tuple(filled) if split == ALL else (split,))


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


def _values(folder: Path) -> dict[str, Any]:
    """What ``build.json`` says, if the folder is finished."""
    path = folder / report.FILE
    if not path.exists() or (folder / shards.STATE).exists():
        raise BuildError(
            f"{folder} is not a finished dataset folder of psgimg; give the --out of a "
            "`psgimg build`, or run that command again to finish it"
        )
    try:
        values = report.read(folder)
        if not values["shards"]:
            raise ValueError("it names no shard")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{path} is damaged ({error}); run `psgimg build` again") from error
    return values


def _check_shards(folder: Path, wanted: list[Mapping[str, Any]]) -> None:
    """Refuse a folder whose shards are not those of its ``build.json``."""
    remedy = "run the same `psgimg build` again, or fetch the folder anew"
    found = {path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*.parquet")}
    if extra := sorted(found - {shard["path"] for shard in wanted}):
        raise BuildError(f"{folder / extra[0]} is not in {report.FILE}; {remedy}")
    for shard in wanted:
        path = folder / shard["path"]
        if not path.exists():
            raise BuildError(f"{path} is missing; {remedy}")
        try:
            n_rows = shards.n_rows(path)
        except (pa.ArrowException, OSError) as error:
            raise BuildError(f"{path} can't be read ({_line(error)}); {remedy}") from error
        if n_rows != shard["rows"]:
            raise BuildError(
                f"{path} has {n_rows} rows, {report.FILE} says {shard['rows']}; {remedy}"
            )


def _read(path: Path, progress: Progress) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            for row_group in range(file.num_row_groups):
                for batch in file.iter_batches(BATCH, row_groups=[row_group]):
                    yield from cast("list[Row]", batch.to_pylist())
                    progress(len(batch))
    except (pa.ArrowException, OSError) as error:
        raise BuildError(
            f"{path} can't be read ({_line(error)}); build or fetch it anew"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
