"""Croissant: a JSON-LD description of the dataset, for search engines and loaders of any framework.

Format: https://github.com/mlcommons/croissant/blob/main/docs/croissant-spec-1.1.md, with some
properties of croissant-rai-spec.md in the same folder. An unpublished dataset lacks the required
``url`` and ``creator``. ``datePublished`` is left to the host, so that the same shards give the same
text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psgimg.builder.card import card_metadata, release_notes
from psgimg.builder.corpora import demo
from psgimg.builder.dataset.build_json import BuildFacts, ShardEntry
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import FEATURES, SPLITS
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

FILE = "croissant.json"
PARQUET = "application/x-parquet"

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")

_PLAIN = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty"),
    *("extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray"),
    *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references"),
    *("regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
    "transform",
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _PLAIN},
}

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


def croissant(values: BuildFacts) -> dict[str, Any]:
    """Describe a dataset from the contents of its ``build.json``.

    Parameters
    ----------
    values
        Contents of ``build.json``. A release in it provides the address and version of the dataset,
        and the permission to publish it.

    Returns
    -------
    dict
        JSON-LD. Paths are relative to the dataset's folder, in which it is stored as ``FILE``.
    """
    report = Report(values)
    corpora = card_metadata.with_rows(report)
    names = {card_metadata.ALL: sorted(corpora), **{name: [name] for name in sorted(corpora)}}
    shards = values["shards"]
    file_sets = [_file_set(name, members, shards) for name, members in names.items()]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        **_about(report),
        **_terms(report),
        "distribution": [*map(_file_object, shards), *file_sets],
        "recordSet": [
            _splits(report),
            _stages(),
            *map(_pages, names),
        ],
    }


def _about(report: Report) -> dict[str, Any]:
    """Return name, description, version, address, uses and limitations of the dataset."""
    values, corpora = report.values, card_metadata.with_rows(report)
    twin = values.get(corruption_spec.KEY)
    pages = (
        f"{report.n_epochs():,} pictures of sleep, each a page of a polysomnogram, with its stage"
    )
    about = {
        "name": card_metadata.title(corpora, twin),
        "description": f"{pages}, from {len(values['recordings']):,} recordings.",
        "version": _version(values),
        "isLiveDataset": False,
        "keywords": [*card_metadata.TAGS, *corpora],
        "rai:dataCollection": "Drawn by psgimg "
        f"{values['psgimg']} with the recipe {values['recipe_hash']} from recordings of "
        f"{', '.join(entry['title'] for entry in corpora.values())}.",
        "rai:dataUseCases": ["Research on sleep staging. Not for diagnosis."],
        "rai:dataLimitations": [
            *([f"Corrupted on purpose ({twin['spec']}): not for training."] if twin else []),
            *(note for entry in corpora.values() for note in entry["notes"]),
        ],
        "rai:personalSensitiveInformation": [
            "None: synthetic signals of no real person."
            if set(corpora) == {demo.NAME}
            else "Health data of people, without names and dates. Identifying the subjects is not "
            "permitted."
        ],
    }
    if release := release_notes.of(values):
        owner = {"@type": "sc:Organization", "name": release.repo_id.partition("/")[0]}
        about |= {"url": f"https://huggingface.co/datasets/{release.repo_id}", "creator": owner}
    return about


def _version(values: BuildFacts) -> str:
    """Return the version: number of recipes so far, number of revisions with the present one, 0."""
    release = release_notes.of(values)
    drawn = [revision.recipe_hash for revision in release.revisions] if release else []
    present = values["recipe_hash"]
    return f"{len({*drawn, present})}.{drawn.count(present)}.0"


def _terms(report: Report) -> dict[str, Any]:
    """Return the licences, strictest first, the citations, and how to get access."""
    release = release_notes.of(report.values)
    corpora = card_metadata.with_rows(report)
    closed = card_metadata.restricted(corpora)
    order = sorted(corpora, key=lambda name: name not in closed)
    licences = [
        {
            "@type": "sc:CreativeWork",
            "name": f"{corpora[name]['title']}: {corpora[name]['licence']}",
            "url": corpora[name]["licence_url"],
        }
        for name in order
    ]
    terms = {
        "license": licences,
        "citeAs": "\n".join(corpora[name]["citation"] for name in corpora),
        "isBasedOn": [corpora[name]["licence_url"] for name in corpora],
    }
    if closed and release and release.permission:
        terms["conditionsOfAccess"] = (
            f"Published by permission, as stated by the publisher: {release.permission}"
        )
    elif closed:
        access = " ".join(f"{corpora[name]['title']}: {corpora[name]['access']}" for name in closed)
        terms["conditionsOfAccess"] = (
            "Restricted: every user of these pictures must have been granted access to the "
            f"recordings personally. {access}"
        )
    return terms


def _file_object(shard: ShardEntry) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard["path"],
        "name": shard["path"],
        "contentUrl": shard["path"],
        "contentSize": f"{shard['bytes']} B",
        "encodingFormat": PARQUET,
        "sha256": shard["sha256"],
    }


def _file_set(name: str, members: Sequence[str], shards: Sequence[ShardEntry]) -> dict[str, Any]:
    """Return the shards of a config: one pattern for each corpus and split that has any."""
    held = [(shard["corpus"], shard["split"]) for shard in shards if shard["corpus"] in members]
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "description": f"The shards of the config {name}.",
        "encodingFormat": PARQUET,
        "includes": [
            f"data/{corpus}/{split}-*.parquet"
            for corpus in members
            for split in SPLITS
            if (corpus, split) in held
        ],
    }


def _splits(report: Report) -> dict[str, Any]:
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
            if split not in report.empty_splits
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


def _pages(name: str) -> dict[str, Any]:
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
        "field": [split, *(_column(name, column) for column in FEATURES)],
    }


def _column(name: str, column: str) -> dict[str, Any]:
    """Return a column of the dataset as a field."""
    feature = FEATURES[column]
    kind = feature["_type"]
    source: dict[str, Any] = {"fileSet": {"@id": f"{name}-files"}, "extract": {"column": column}}
    field = {**_field(f"{name}/{column}", ""), "description": MEANING[column], "source": source}
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
