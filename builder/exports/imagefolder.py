"""ImageFolder: export each page as a PNG file, with a table of labels per split.

    DIR/<split>/<corpus>/<recording>/00012.png
    DIR/<split>/metadata.parquet

``load_dataset("imagefolder", data_dir=DIR)`` takes splits from the top folders and everything else
from the tables (https://huggingface.co/docs/datasets/image_dataset#imagefolder). Unlike CSV or JSON
lines, Parquet keeps the names of the stages: datasets reads features from the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.dataset.schema import FEATURES, schema
from psgimg.builder.exports import readme, target
from psgimg.builder.exports.source import ALL, Source, name, open_folder, png
from psgimg.builder.progress import SILENT, Progress

FORMAT = "imagefolder"
TABLE = "metadata.parquet"

N_BUFFERED = 10_000
"""Rows of a table buffered in memory; each takes a few hundred bytes."""


def write(folder: Path, out: Path, split: str = ALL, progress: Progress = SILENT) -> None:
    """Export a finished dataset folder, one of its splits or ``all``.

    Raises
    ------
    BuildError
        If the dataset is incomplete, or ``out`` can't be written or contains something else.
    """
    source = open_folder(folder, split)
    with target.new(source, out, FORMAT) as draft:
        for part in source.splits:
            _write_split(source, part, draft / part, progress)
        readme.write(draft, source, FORMAT, out.name)


def _write_split(source: Source, split: str, folder: Path, progress: Progress) -> None:
    folder.mkdir()
    arrow = _schema()
    with pq.ParquetWriter(folder / TABLE, arrow) as writer:
        lines = []
        for line in _write_pages(source, split, folder, progress):
            lines.append(line)
            if len(lines) == N_BUFFERED:
                writer.write_table(pa.Table.from_pylist(lines, schema=arrow))
                lines = []
        if lines:
            writer.write_table(pa.Table.from_pylist(lines, schema=arrow))


def _write_pages(
    source: Source, split: str, folder: Path, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Write the pictures of a split; yield the row of the table for each."""
    for row in source.pages(split, progress):
        path = folder / f"{name(row)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(row))
        yield {**row, "file_name": path.relative_to(folder).as_posix()}


def _schema() -> pa.Schema:
    """Return the dataset's schema with a file name instead of the picture."""
    contract = schema()
    fields = [pa.field("file_name", pa.string()), *list(contract)[1:]]
    features = {"file_name": {"dtype": "string", "_type": "Value"}, **FEATURES}
    del features["image"]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})
