"""Croissant records: the record sets of ``croissant.json``, which are splits, stages and pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from psgimg.builder.dataset.schema import SPLITS, all_features
from psgimg.builder.stages import STAGE_NAMES

TYPES = {
    "string": "sc:Text",
    "int8": "sc:Integer",
    "int32": "sc:Integer",
    "float32": "sc:Float",
}
MEANING = {
    "image": "The page, PNG.",
    "label": "Stage by the reference scorer, by its number in the record set `stages`.",
    "corpus": "Name of the corpus.",
    "subject": "A person, unique within the corpus; neither a name nor a date.",
    "recording": "One night, unique within the corpus.",
    "epoch": "Number from the recording's start, in units of the scoring's epoch length.",
    "onset_s": "Start of the scored epoch, in seconds from the recording's start.",
    "label_2": "Stage by a second scorer; null where there is none.",
    "votes": "Number of scorers for each stage, W, N1, N2, N3, REM; null unless there are more than two.",
    "lanes": "Derivations drawn, from top to bottom; null for a lane that was not recorded or not usable.",
}
VARIANT = "The page of a changed signal, PNG; null outside the training split."
STAGES = {
    "W": "wakefulness",
    "N1": "non-REM sleep, stage 1",
    "N2": "non-REM sleep, stage 2",
    "N3": "non-REM sleep, stage 3: slow-wave sleep",
    "REM": "REM sleep",
}
SPLIT_CLASSES = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}


def record_sets(
    configs: Iterable[str], empty: Collection[str], n_variants: int = 0
) -> list[dict[str, Any]]:
    """Return the record sets of a dataset: its splits, the stages, and the pages of each config.

    Parameters
    ----------
    empty
        Splits without a page.
    n_variants
        Columns with variants of training pages.
    """
    return [_splits(empty), _stages(), *(_pages(name, n_variants) for name in configs)]


def _splits(empty: Collection[str]) -> dict[str, Any]:
    fields = [_field("splits/name", "sc:Text"), _field("splits/url", ["sc:URL", "cr:Split"])]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits; all nights of a person are in the same one.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": fields,
        "data": [
            {"splits/name": split, "splits/url": SPLIT_CLASSES[split]}
            for split in SPLITS
            if split not in empty
        ],
    }


def _stages() -> dict[str, Any]:
    fields = [
        _field("stages/index", "sc:Integer"),
        _field("stages/name", ["sc:Text", "sc:name"]),
        _field("stages/description", "sc:Text"),
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "stages",
        "name": "stages",
        "description": "The five stages of the AASM manual.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "stages/index"},
        "field": fields,
        "data": [
            {"stages/index": i, "stages/name": name, "stages/description": STAGES[name]}
            for i, name in enumerate(STAGE_NAMES)
        ],
    }


def _field(identity: str, data_type: str | list[str]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": identity, "name": identity, "dataType": data_type}


def _pages(name: str, n_variants: int) -> dict[str, Any]:
    """Return the record set of a config's rows; ``split`` is taken from the shard's name."""
    files = {"@id": f"{name}-files"}
    split = {
        **_field(f"{name}/split", "sc:Text"),
        "description": "Split of the subject.",
        "references": {"field": {"@id": "splits/name"}},
        "source": {
            "fileSet": files,
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": f"({'|'.join(SPLITS)}).*"},
        },
    }
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": "One record per scored epoch.",
        "key": [{"@id": f"{name}/{column}"} for column in ("corpus", "recording", "epoch")],
        "field": [split, *(_column(name, *one) for one in all_features(n_variants).items())],
    }


def _column(name: str, column: str, feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return a column of the dataset as a field."""
    kind = feature["_type"]
    source: dict[str, Any] = {"fileSet": {"@id": f"{name}-files"}, "extract": {"column": column}}
    field = {**_field(f"{name}/{column}", ""), "source": source}
    field["description"] = MEANING.get(column, VARIANT)
    if kind == "Image":
        source["transform"] = {"jsonPath": "bytes"}
        return {**field, "dataType": "sc:ImageObject"}
    if kind == "ClassLabel":
        # No `references` to `stages`: with a second join mlcroissant 1.1 can't select a split, and
        # a reader would need the whole dataset in memory.
        return {**field, "dataType": ["sc:Integer", "cr:Label"]}
    if kind == "List":
        item = TYPES[feature["feature"]["dtype"]]
        return {**field, "dataType": item, "isArray": True, "arrayShape": "-1"}
    return {**field, "dataType": TYPES[feature["dtype"]]}
