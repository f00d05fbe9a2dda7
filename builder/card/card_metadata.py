"""Card metadata: the YAML header of the dataset card, which the Hub and ``load_dataset`` read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from psgimg.builder.card import release_notes
from psgimg.builder.corpora import registry
from psgimg.builder.dataset.build_json import CorpusFacts, CorpusPolicy, DatasetFacts
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS, all_features
from psgimg.builder.signals import corruption_spec
from psgimg.builder.signals.corruption_spec import CorruptionJson

ALL = "all"
"""Name of the config that contains every corpus, which loads by default."""

HUB_LICENCES = {"CC0-1.0": "cc0-1.0", "CC BY 4.0": "cc-by-4.0", "ODC-By 1.0": "odc-by"}
TAGS = ("sleep", "sleep-staging", "polysomnography", "eeg", "medical", "psgimg")
N_NAMED = 4
"""Number of corpora that a title names; more are only counted."""

SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B")
"""Bounds of the Hub's size categories, from a thousand in factors of ten."""


def head(report: Report) -> str:
    """Return the YAML header, as the Hub and ``load_dataset`` read it."""
    from huggingface_hub import DatasetCardData

    corpora = with_rows(report)
    names = {ALL: sorted(corpora), **{name: [name] for name in sorted(corpora)}}
    data = DatasetCardData(
        pretty_name=title(corpora, report.values.get(corruption_spec.KEY)),
        annotations_creators=[
            "machine-generated" if registry.is_synthetic(corpora) else "expert-generated"
        ],
        task_categories=["image-classification"],
        size_categories=[_size(report.n_epochs())],
        source_datasets=["original"],
        tags=[*TAGS, *_marks(report, corpora), *sorted(corpora)],
        **_licence(corpora),
        **_gate(report, corpora),
        configs=[_config(report, name, members) for name, members in names.items()],
        dataset_info=[_info(report, name, names[name]) for name in sorted(names)],
    )
    return str(data.to_yaml())


def export_head(
    report: Report, corpora: Mapping[str, CorpusFacts], files: Mapping[str, str] | None
) -> str:
    """Return the YAML header of an export: its licence and gate hold wherever it is uploaded to.

    Parameters
    ----------
    corpora
        Those that the export has pages of.
    files
        Pattern of the files of each split; None where ``load_dataset`` finds them by their names.
    """
    from huggingface_hub import DatasetCardData

    parts = [{"split": split, "path": path} for split, path in (files or {}).items()]
    default: dict[str, Any] = {"config_name": "default", "data_files": parts}
    configs: dict[str, Any] = {"configs": [default]} if parts else {}
    data = DatasetCardData(
        pretty_name=title(corpora, report.values.get(corruption_spec.KEY)),
        task_categories=["image-classification"],
        tags=[*TAGS, *_marks(report, corpora), *sorted(corpora)],
        **_licence(corpora),
        **_gate(report, corpora),
        **configs,
    )
    return str(data.to_yaml())


def _marks(report: Report, corpora: Mapping[str, CorpusFacts]) -> list[str]:
    """Return the tags that warn of synthetic or corrupted signals."""
    marks = {
        "synthetic": bool(registry.synthetic(corpora)),
        "corrupted": corruption_spec.KEY in report.values,
    }
    return [mark for mark, applies in marks.items() if applies]


def _config(report: Report, name: str, members: Sequence[str]) -> dict[str, Any]:
    """Return the files of a config by split; splits without files are omitted."""
    data_files = []
    for split in SPLITS:
        holders = [member for member in members if report.n_epochs(corpus=member, split=split)]
        paths = [f"data/{member}/{split}-*.parquet" for member in holders]
        if paths:
            data_files.append({"split": split, "path": paths if len(paths) > 1 else paths[0]})
    default = {"default": True} if name == ALL else {}
    return {"config_name": name, "data_files": data_files, **default}


def _info(report: Report, name: str, members: Sequence[str]) -> dict[str, Any]:
    """Return the features and sizes of a config, as ``datasets.DatasetInfo`` would write them.

    ``load_dataset`` uses its cached copy of a folder unless ``num_examples`` has changed, and
    refuses a folder with a different number of rows.
    """
    shards = [shard for shard in report.values["shards"] if shard["corpus"] in members]
    splits = []
    for split in SPLITS:
        own = [shard for shard in shards if shard["split"] == split]
        if own:
            n_bytes, n_rows = (sum(shard[key] for shard in own) for key in ("bytes", "rows"))
            splits.append({"name": split, "num_bytes": n_bytes, "num_examples": n_rows})
    n_bytes = sum(shard["bytes"] for shard in shards)
    return {
        "config_name": name,
        "features": [_feature(*column) for column in all_features(report.n_variants).items()],
        "splits": splits,
        "download_size": n_bytes,
        "dataset_size": n_bytes,
    }


def _feature(name: str, kind: Mapping[str, Any]) -> dict[str, Any]:
    """Return a column in the form of a card's header."""
    match kind["_type"]:
        case "ClassLabel":
            names = {str(label): stage for label, stage in enumerate(kind["names"])}
            return {"name": name, "dtype": {"class_label": {"names": names}}}
        case "List":
            return {"name": name, "list": kind["feature"]["dtype"]}
        case "Value":
            return {"name": name, "dtype": kind["dtype"]}
        case other:
            return {"name": name, "dtype": other.lower()}


def _licence(corpora: Mapping[str, CorpusFacts]) -> dict[str, Any]:
    """Return the licence in the Hub's terms: one that it knows, or ``other`` with name and link."""
    names = {entry["licence"] for entry in corpora.values()}
    only = names.pop() if len(names) == 1 else ""
    if only in HUB_LICENCES:
        return {"license": HUB_LICENCES[only]}
    slug = re.sub(r"[^a-z0-9.]+", "-", only.lower()).strip("-.") or "several-see-card"
    strictest = [*restricted(corpora), *corpora][0]
    link = corpora[strictest]["licence_url"]
    return {"license": "other", "license_name": slug, "license_link": link}


def _gate(report: Report, corpora: Mapping[str, CorpusFacts]) -> dict[str, Any]:
    """Return the access request form, if any corpus is restricted."""
    titles = [corpora[name]["title"] for name in restricted(corpora)]
    if not titles:
        return {}
    release = release_notes.of(report.values)
    if release and release.permission:
        rule = "They are published by permission, which is quoted on the card."
        pledge = "I comply with the terms of"
    else:
        rule = (
            "Every user must have been granted access to those recordings personally and must "
            "comply with their terms."
        )
        pledge = "I have been granted access to"
    return {
        "extra_gated_prompt": f"These pictures were made from recordings of {'; '.join(titles)}. {rule}",
        "extra_gated_fields": {
            "Institution": "text",
            **{f"{pledge} {title}": "checkbox" for title in titles},
        },
    }


def restricted(corpora: Mapping[str, CorpusPolicy]) -> list[str]:
    """Return the corpora whose terms are not known to allow redistribution of pictures.

    A corpus is open only if both its entry and the present registry state so.
    """
    return [name for name, entry in corpora.items() if not registry.is_open(name, entry["policy"])]


def with_rows(report: Report[DatasetFacts]) -> dict[str, CorpusFacts]:
    """Return the corpora that have at least one row."""
    return {
        name: entry
        for name, entry in report.values["corpora"].items()
        if report.n_epochs(corpus=name)
    }


def title(corpora: Mapping[str, CorpusFacts], corrupted: CorruptionJson | None = None) -> str:
    """Return the title of the dataset; that of a corrupted twin includes the corruption."""
    names = [entry["title"] for entry in corpora.values()] if len(corpora) == 1 else [*corpora]
    listed = ", ".join(names) if len(names) <= N_NAMED else f"{len(names)} corpora"
    twin = f", corrupted ({corrupted['spec']})" if corrupted else ""
    return f"Sleep stages as pictures{twin}: {listed}"


def _size(n_rows: int) -> str:
    """Return the Hub's size category."""
    step = sum(n_rows >= 1000 * 10**i for i in range(len(SIZES) - 1))
    return f"{SIZES[step - 1]}<n<{SIZES[step]}" if step else f"n<{SIZES[0]}"
