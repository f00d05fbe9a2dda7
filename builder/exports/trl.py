"""TRL: export each page as a picture, a prompt and a completion in Parquet, for TRL's own scripts.

    DIR/data/<split>-00000.parquet      images, prompt, completion, and what identifies the page
    DIR/README.md                       its YAML header tells `load_dataset` the splits

``trl sft`` takes the folder or its copy on the Hub as ``--dataset-name``
(https://huggingface.co/docs/trl/dataset_formats#vision-datasets). Prompt and completion are separate,
so that the loss is on the answer alone. The text has no ``<image>``: TRL puts the pictures before the
question, and would count that word as a second one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.dataset.schema import Row
from psgimg.builder.exports import readme, target
from psgimg.builder.exports.source import ALL, Source, identity, name, open_asked, png
from psgimg.builder.progress import SILENT, Progress
from psgimg.builder.stages import STAGE_NAMES

FORMAT = "trl"
SHARD_BYTES = 500_000_000
PER_GROUP = 100
"""Pages of a row group, which viewers and streams read at once."""

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_TEXT = {"dtype": "string", "_type": "Value"}
_MESSAGES = {"feature": {"role": _TEXT, "content": _TEXT}, "_type": "List"}
FEATURES = {
    "images": {"feature": {"_type": "Image"}, "_type": "List"},
    "prompt": _MESSAGES,
    "completion": _MESSAGES,
    **dict.fromkeys(("corpus", "subject", "recording"), _TEXT),
    "epoch": {"dtype": "int32", "_type": "Value"},
}
SCHEMA = pa.schema(
    [
        ("images", pa.list_(_IMAGE)),
        ("prompt", _TURNS),
        ("completion", _TURNS),
        *((key, pa.string()) for key in ("corpus", "subject", "recording")),
        ("epoch", pa.int32()),
    ],
    {"huggingface": json.dumps({"info": {"features": FEATURES}})},
)


def write(
    folder: Path,
    out: Path,
    split: str = ALL,
    progress: Progress = SILENT,
    prompt: str = prompts.DEFAULT,
) -> None:
    """Export a finished dataset folder, one of its splits or ``all``.

    Parameters
    ----------
    prompt
        Name or YAML file of the prompt for each page.

    Raises
    ------
    BuildError
        If the dataset is incomplete, the prompt can't be read, or ``out`` can't be written or
        contains something else.
    """
    source, loaded = open_asked(folder, split, prompt)
    with target.new(source, out, FORMAT, prompt=asdict(loaded)) as draft:
        (draft / "data").mkdir()
        for part in source.splits:
            _write_split(source, part, loaded, draft / "data", progress)
        files = {part: f"data/{part}-*.parquet" for part in source.splits}
        readme.write(draft, source, FORMAT, out.name, files, prompt=loaded)


def example(row: Row, prompt: Prompt) -> dict[str, Any]:
    """Return one page as a question and its answer, with what identifies the page."""
    answer = prompt.answers[STAGE_NAMES[row["label"]]]
    return {
        "images": [{"bytes": png(row), "path": f"{name(row)}.png"}],
        "prompt": prompt.turns(prompt.question),
        "completion": [{"role": "assistant", "content": answer}],
        **identity(row),
    }


def _write_split(
    source: Source, split: str, prompt: Prompt, folder: Path, progress: Progress
) -> None:
    """Write the shards of a split, each started when the previous one is full."""
    examples = (example(row, prompt) for row in source.pages(split, progress))
    groups = iter(lambda: list(islice(examples, PER_GROUP)), [])
    for number, group in enumerate(groups):  # each call takes further groups
        _write_shard(folder / f"{split}-{number:05d}.parquet", chain([group], groups))


def _write_shard(path: Path, groups: Iterator[list[dict[str, Any]]]) -> None:
    """Write groups of examples until the shard is full."""
    with path.open("wb") as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for group in groups:
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
            if file.tell() >= SHARD_BYTES:
                return
