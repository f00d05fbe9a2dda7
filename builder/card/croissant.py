"""Croissant: a JSON-LD description of the dataset, for search engines and loaders of any framework.

Format: https://github.com/mlcommons/croissant/blob/main/docs/croissant-spec-1.1.md, with some
properties of croissant-rai-spec.md in the same folder. An unpublished dataset lacks the required
``url`` and ``creator``. ``datePublished`` is left to the host, so that the same shards give the same
text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psgimg.builder.card import card_metadata, croissant_records, release_notes
from psgimg.builder.corpora import registry
from psgimg.builder.dataset.build_json import BuildFacts, ShardEntry
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.signals import corruption_spec

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
        "recordSet": croissant_records.record_sets(
            list(names), report.empty_splits, report.n_variants
        ),
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
            if registry.is_synthetic(corpora)
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
