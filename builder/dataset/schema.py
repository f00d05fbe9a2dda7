"""Schema: the columns of the dataset, one row per scored epoch, on which ``finetune`` relies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NotRequired, get_args

from psgimg.builder.stages import STAGE_NAMES
from typing_extensions import TypedDict

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

_CLASS_LABEL = {"names": list(STAGE_NAMES), "_type": "ClassLabel"}
_STRING = {"dtype": "string", "_type": "Value"}

# Equal to `datasets.Features.to_dict`, which a test compares. Written out here because importing
# `datasets` costs a worker that only draws 1.5 s and 80 MB.
FEATURES: dict[str, dict[str, Any]] = {
    "image": {"_type": "Image"},
    "label": _CLASS_LABEL,
    "corpus": _STRING,
    "subject": _STRING,
    "recording": _STRING,
    "epoch": {"dtype": "int32", "_type": "Value"},
    "onset_s": {"dtype": "float32", "_type": "Value"},
    "label_2": _CLASS_LABEL,
    "votes": {"feature": {"dtype": "int8", "_type": "Value"}, "_type": "List"},
    "lanes": {"feature": _STRING, "_type": "List"},
}


def variant_column(number: int) -> str:
    """Return the name of the column with a variant of the pages, numbered from 1."""
    return f"variant_{number}"


def variant_columns(n_variants: int) -> list[str]:
    """Return the names of the columns with variants of the pages."""
    return [variant_column(number) for number in range(1, n_variants + 1)]


def all_features(n_variants: int) -> dict[str, dict[str, Any]]:
    """Return all columns of a dataset whose training pages have some variants."""
    return {**FEATURES, **dict.fromkeys(variant_columns(n_variants), FEATURES["image"])}


class Row(TypedDict):
    """One epoch.

    ``image`` has PNG bytes and no path, as a file name could reveal the stage. ``epoch`` counts from
    the recording's start in units of the scoring's epoch length; two rows are consecutive in time if
    their ``onset_s`` differ by that length. ``lanes`` has None for an absent lane. ``variants`` has the
    PNG bytes of each variant of a training page, which are columns of their own in a shard.
    """

    image: dict[str, bytes | None]
    label: int
    corpus: str
    subject: str
    recording: str
    epoch: int
    onset_s: float
    label_2: int | None
    votes: list[int] | None
    lanes: list[str | None]
    variants: NotRequired[list[bytes]]


def schema(metadata: dict[str, str] | None = None, n_variants: int = 0) -> pa.Schema:
    """Return the Arrow schema, from which ``datasets`` recognises ``Image`` and ``ClassLabel``."""
    import pyarrow as pa

    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    types = {
        "image": picture,
        "label": pa.int64(),
        "corpus": pa.string(),
        "subject": pa.string(),
        "recording": pa.string(),
        "epoch": pa.int32(),
        "onset_s": pa.float32(),
        "label_2": pa.int64(),
        "votes": pa.list_(pa.int8()),
        "lanes": pa.list_(pa.string()),
        **dict.fromkeys(variant_columns(n_variants), picture),
    }
    huggingface = json.dumps({"info": {"features": all_features(n_variants)}})
    return pa.schema(types).with_metadata({"huggingface": huggingface, **(metadata or {})})


def n_variants(found: pa.Schema) -> int:
    """Return the number of columns with variants that a shard has."""
    return len(found.names) - len(FEATURES)


def table(rows: Sequence[Row], n_variants: int = 0) -> pa.Table:
    """Return rows as a table; a column that a row lacks is null."""
    import pyarrow as pa
    from psgimg.builder.files.arrow_arrays import array

    columns = schema(n_variants=n_variants)
    values: Sequence[Mapping[str, Any]] = [{**row, **_variants(row)} for row in rows]
    arrays = [array([row.get(field.name) for row in values], field.type) for field in columns]
    return pa.Table.from_arrays(arrays, schema=columns)


def _variants(row: Row) -> dict[str, dict[str, bytes | None]]:
    """Return the columns with variants of a row."""
    pictures = row.get("variants", [])
    return {
        variant_column(number): {"bytes": png, "path": None}
        for number, png in enumerate(pictures, start=1)
    }


def features(n_variants: int = 0) -> datasets.Features:
    """Return the columns as features of ``datasets``."""
    from datasets import Features

    return Features.from_dict(all_features(n_variants))
