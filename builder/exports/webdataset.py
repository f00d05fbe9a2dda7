"""WebDataset: export pages as tar shards for sequential reading, a PNG and a JSON file per page.

    DIR/train-000000.tar: <corpus>/<recording>/00012.png, <corpus>/<recording>/00012.json, …

Format: https://github.com/webdataset/webdataset#the-webdataset-format; read by that package and by
``load_dataset("webdataset", …)`` (https://huggingface.co/docs/hub/datasets-webdataset). The latter
infers the types of the JSON from a split's first five samples, so that no value may be null in only
some samples: a missing ``label_2`` is -1, the code of datasets for a missing class, and missing
``votes`` are none for any stage.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from psgimg.builder.dataset.schema import Row
from psgimg.builder.exports import readme, target
from psgimg.builder.exports.source import ALL, Source, identity, name, open_folder, png
from psgimg.builder.progress import SILENT, Progress
from psgimg.builder.stages import STAGE_NAMES

FORMAT = "webdataset"
SHARD_BYTES = 1_000_000_000
NO_LABEL = -1
NO_VOTES = [0] * len(STAGE_NAMES)


def write(folder: Path, out: Path, split: str = ALL, progress: Progress = SILENT) -> None:
    """Export a finished dataset folder, one of its splits or ``all``.

    Raises
    ------
    BuildError
        If the dataset is incomplete, or ``out`` can't be written or contains something else.
    """
    source = open_folder(folder, split)
    with target.new(source, out, FORMAT) as draft:
        n_shards = {part: _write_split(source, part, draft, progress) for part in source.splits}
        readme.write(draft, source, FORMAT, out.name, n_shards=n_shards)


def _write_split(source: Source, split: str, folder: Path, progress: Progress) -> int:
    """Write the shards of a split, each started when the previous one is full; return their number."""
    n_shards = 0
    pages = source.pages(split, progress)
    row = next(pages, None)
    while row is not None:
        path = folder / f"{split}-{n_shards:06d}.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            while row is not None and tar.offset < SHARD_BYTES:
                _add(tar, f"{name(row)}.png", png(row))
                _add(tar, f"{name(row)}.json", json.dumps(label(row)).encode())
                row = next(pages, None)
        n_shards += 1
    return n_shards


def label(row: Row) -> dict[str, Any]:
    """Return the content of a page's JSON file; each value has the same type in all samples."""
    return {
        "label": row["label"],
        "stage": STAGE_NAMES[row["label"]],
        **identity(row),
        "onset_s": row["onset_s"],
        "label_2": NO_LABEL if row["label_2"] is None else row["label_2"],
        "votes": NO_VOTES if row["votes"] is None else row["votes"],
        "lanes": row["lanes"],
    }


def _add(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    """Add a file without date and owner, so that the same pages give the same bytes."""
    info = tarfile.TarInfo(path)  # defaults: time 0, user and group 0 without names, mode 644
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
