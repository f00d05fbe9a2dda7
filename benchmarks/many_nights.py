"""A stand-in for a large dataset: the first recording of a small one, over and over, in one split."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.dataset.schema import SPLITS, schema
from psgimg.builder.stages import STAGE_NAMES

PER_SHARD = 64
AS_BUILT: dict[str, Any] = {
    "compression": {"image.bytes": "none", "image.path": "none"},
    "use_dictionary": ["corpus", "subject", "recording", "lanes.list.element"],
    "write_page_index": True,
    "data_page_size": 1 << 20,
    "write_batch_size": 16,
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "as built": AS_BUILT,
    "one data page a recording": {**AS_BUILT, "data_page_size": 1 << 30},
    "snappy": {"compression": "snappy", "use_dictionary": False},
    "dictionary": {"compression": "none"},
}


def make(source: Path, out: Path, n: int, epochs: int, image_bytes: int, layout: str) -> int:
    """Write a dataset of ``n`` recordings, and return its size in bytes.

    Parameters
    ----------
    source
        Folder of a dataset of one corpus.
    epochs
        Pages per recording.
    image_bytes
        Each picture is cut to as many bytes, so that only its place is real; 0 leaves it whole.
    """
    values = json.loads((source / "build.json").read_text())
    corpus = values["shards"][0]["corpus"]
    rows, fact = _night(source, values, epochs, image_bytes)
    facts = [
        {**fact, "subject": name, "recording": name, "kin": name, "split": "train"}
        for name in (f"night-{i:05d}" for i in range(n))
    ]
    shards = []
    for i, start in enumerate(range(0, n, PER_SHARD)):
        own = facts[start : start + PER_SHARD]
        path = f"data/{corpus}/train-{i:05d}-of-{-(-n // PER_SHARD):05d}.parquet"
        _write(out / path, rows, own, layout)
        entry = {"path": path, "corpus": corpus, "split": "train", "rows": len(own) * epochs}
        shards.append({**entry, "bytes": (out / path).stat().st_size, "sha256": f"{i:064x}"})
    none = dict.fromkeys(STAGE_NAMES, 0)
    own_counts = {stage: count * n for stage, count in fact["stages"].items()}
    values |= {
        "shards": shards,
        "recordings": facts,
        "counts": {corpus: {**dict.fromkeys(SPLITS, none), "train": own_counts}},
        "placements": {"splits": {corpus: {f["kin"]: "train" for f in facts}}, "folds": {}},
    }
    (out / "build.json").write_text(json.dumps(values))
    return sum(shard["bytes"] for shard in shards)


def _night(
    source: Path, values: dict[str, Any], epochs: int, image_bytes: int
) -> tuple[pa.Table, dict[str, Any]]:
    """Return the pages of a night of some epochs, and its facts."""
    fact = values["recordings"][0]
    shard = next(one for one in values["shards"] if one["split"] == fact["split"])
    table = pq.read_table(source / shard["path"], partitioning=None)
    table = table.filter(pa.compute.equal(table["recording"], fact["recording"]))
    table = table.take(np.arange(epochs) % len(table))
    if image_bytes:
        cells = [
            {"bytes": cell["bytes"][:image_bytes], "path": None}
            for cell in table["image"].to_pylist()
        ]
        table = _with(table, "image", pa.array(cells, table.schema.field("image").type))
    table = _with(table, "epoch", pa.array(np.arange(epochs, dtype=np.int32)))
    table = _with(table, "onset_s", pa.array(30 * np.arange(epochs, dtype=np.float32)))
    counts = np.bincount(table["label"].to_numpy(), minlength=len(STAGE_NAMES)).tolist()
    stages = dict(zip(STAGE_NAMES, counts, strict=True))
    return table, {**fact, "stages": stages, "duration_s": 30.0 * epochs}


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    number = table.schema.get_field_index(name)
    return table.set_column(number, table.schema.field(number), column)


def _write(path: Path, rows: pa.Table, facts: list[dict[str, Any]], layout: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = schema({"psgimg": json.dumps(facts)})
    with pq.ParquetWriter(path, arrow, **LAYOUTS[layout]) as writer:
        for table in _named(rows, facts):
            writer.write_table(
                table.replace_schema_metadata(arrow.metadata), row_group_size=len(table)
            )


def _named(rows: pa.Table, facts: list[dict[str, Any]]) -> Iterator[pa.Table]:
    for fact in facts:
        table = rows
        for name in ("subject", "recording"):
            table = _with(table, name, pa.array([fact[name]] * len(rows)))
        yield table
