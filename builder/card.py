"""Card: the dataset's README, one real picture a stage, and the contact sheet.

Every number on it is counted from the report; the words are in ``cards/dataset.md.j2``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from psgimg.builder import contact, files
from psgimg.builder.config import BuildConfig
from psgimg.builder.contact import Picture
from psgimg.builder.corpora import demo
from psgimg.builder.pages import PAGE_S
from psgimg.builder.recording import Policy
from psgimg.builder.report import Report
from psgimg.builder.rows import FEATURES, SPLITS, features
from psgimg.builder.stages import STAGE_NAMES

FILE = "README.md"
SHEET = "preview.png"
PICTURES = "card"
TEMPLATE = "dataset.md.j2"

ALL = "all"
"""Config of every corpus, the one that loads where none is named."""

N_LISTED = 20
"""Recordings set aside that the card lists one by one."""

HUB_LICENCES = {"CC0-1.0": "cc0-1.0", "CC BY 4.0": "cc-by-4.0", "ODC-By 1.0": "odc-by"}
TAGS = ("sleep", "sleep-staging", "polysomnography", "eeg", "medical", "psgimg")
SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B")
"""Steps of the Hub's size categories, from a thousand up by tens."""


def write(out: Path, report: Report) -> None:
    """Write card, pictures and contact sheet beside the shards in ``out/data``."""
    pictures = contact.choose(out, report.values["recordings"])
    for stage in STAGE_NAMES:
        path = out / PICTURES / f"{stage}.png"
        if pictures[stage]:
            _write_bytes(path, pictures[stage][0].png)
        else:
            path.unlink(missing_ok=True)  # of an earlier build that had this stage
    _write_bytes(out / SHEET, contact.sheet(pictures))
    examples = {stage: chosen[0] for stage, chosen in pictures.items() if chosen}
    files.write_text(out / FILE, text(report, examples))


def text(report: Report, examples: Mapping[str, Picture]) -> str:
    """The card, YAML and Markdown; ``examples`` are the pictures it shows, by stage."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML; what comes from files goes through `cell`
    )
    environment.filters |= {"n": _number, "counted": _counted, "cell": _cell}
    template = resources.files("psgimg.cards").joinpath(TEMPLATE).read_text(encoding="utf-8")
    card = environment.from_string(template).render(
        metadata=metadata(report), examples=examples, **_facts(report)
    )
    return re.sub(r"\n{3,}", "\n\n", card)


def metadata(report: Report) -> str:
    """The YAML head, as the Hub and ``load_dataset`` read it."""
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    corpora = _with_rows(report)
    names = {ALL: sorted(corpora), **{name: [name] for name in sorted(corpora)}}
    synthetic = demo.NAME in corpora
    data = DatasetCardData(
        pretty_name=_title(corpora),
        annotations_creators=[
            "machine-generated" if set(corpora) == {demo.NAME} else "expert-generated"
        ],
        task_categories=["image-classification"],
        size_categories=[_size(report.n_epochs())],
        source_datasets=["original"],
        tags=[*TAGS, *(["synthetic"] if synthetic else []), *sorted(corpora)],
        **_licence(corpora),
        **_gate(corpora),
        configs=[_config(report, name, members) for name, members in names.items()],
    )
    infos = {name: _info(report, name, members) for name, members in names.items()}
    DatasetInfosDict(infos).to_dataset_card_data(data)
    return str(data.to_yaml())


def _config(report: Report, name: str, members: Sequence[str]) -> dict[str, Any]:
    """Which files are a config's, split by split; splits without a file are not named."""
    data_files = []
    for split in SPLITS:
        holders = [member for member in members if report.n_epochs(corpus=member, split=split)]
        paths = [f"data/{member}/{split}-*.parquet" for member in holders]
        if paths:
            data_files.append({"split": split, "path": paths if len(paths) > 1 else paths[0]})
    default = {"default": True} if name == ALL else {}
    return {"config_name": name, "data_files": data_files, **default}


def _info(report: Report, name: str, members: Sequence[str]) -> Any:
    """Features and sizes of a config. ``load_dataset`` takes a grown folder for the one it has in
    its cache unless ``num_examples`` changed, and refuses a folder with another number of rows.
    """
    from datasets import DatasetInfo, SplitDict, SplitInfo

    shards = [shard for shard in report.values["shards"] if shard["corpus"] in members]
    splits = SplitDict()
    for split in SPLITS:
        own = [shard for shard in shards if shard["split"] == split]
        if own:
            n_bytes = sum(shard["bytes"] for shard in own)
            splits.add(SplitInfo(split, n_bytes, sum(shard["rows"] for shard in own)))
    n_bytes = sum(shard["bytes"] for shard in shards)
    return DatasetInfo(
        config_name=name,
        features=features(),
        splits=splits,
        download_size=n_bytes,
        dataset_size=n_bytes,
    )


def _licence(corpora: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Licence in the Hub's words: one that it knows, or ``other`` with a name and a link."""
    names = {entry["licence"] for entry in corpora.values()}
    only = names.pop() if len(names) == 1 else ""
    if only in HUB_LICENCES:
        return {"license": HUB_LICENCES[only]}
    slug = re.sub(r"[^a-z0-9.]+", "-", only.lower()).strip("-.") or "several-see-card"
    strictest = [*_restricted(corpora), *corpora][0]
    link = corpora[strictest]["licence_url"]
    return {"license": "other", "license_name": slug, "license_link": link}


def _gate(corpora: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Text of the form that asks for access, if any corpus is restricted."""
    titles = [corpora[name]["title"] for name in _restricted(corpora)]
    if not titles:
        return {}
    boxes = {f"I have been granted access to {title}": "checkbox" for title in titles}
    return {
        "extra_gated_prompt": f"These pictures were made from recordings of {'; '.join(titles)}. "
        "Whoever uses them needs access to those recordings in their own name, and keeps to their "
        "terms.",
        "extra_gated_fields": {"Institution": "text", **boxes},
    }


def _restricted(corpora: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [n for n, entry in corpora.items() if entry["policy"] == Policy.RESTRICTED.value]


def _facts(report: Report) -> dict[str, Any]:
    """What the template fills in."""
    values = report.values
    corpora = _with_rows(report)
    recordings = values["recordings"]
    return {
        "report": report,
        "v": values,
        "title": _title(corpora),
        "folder": BuildConfig.out.name,
        "corpora": corpora,
        "synthetic": [name for name in corpora if name == demo.NAME],
        "restricted": _restricted(corpora),
        "stages": STAGE_NAMES,
        "splits": SPLITS,
        "page_s": PAGE_S,
        "lanes": _lanes(values["recipe"], recordings),
        "contents": _contents(report),
        "empty": _empty(report),
        "n_subjects": sum(entry["subjects"] for entry in corpora.values()),
        "columns": {name: _type(feature) for name, feature in FEATURES.items()},
        "epoch_lengths": Counter(fact["epoch_s"] for fact in recordings),
        "scorers": Counter(fact["scorer"] for fact in recordings if fact["scorer"]),
        "n_gaps": sum(fact["gaps"] > 0 for fact in recordings),
        "notes": Counter(note for fact in recordings for note in fact["notes"]).most_common(),
        "reasons": sorted({reason for by in values["left_out"].values() for reason in by}),
        "aside": Counter(entry["reason"] for entry in values["set_aside"]).most_common(),
        "n_listed": N_LISTED,
    }


def _lanes(
    recipe: Mapping[str, Any], recordings: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The lanes from top to bottom, with what filled them in how many recordings."""
    seen: Counter[str] = Counter()
    lanes = []
    for i, lane in enumerate(recipe["montage"]["lanes"]):
        style = recipe["style"][lane["kind"]]
        drawn = [fact["lanes"][i] for fact in recordings]
        inks = style["colours"]
        lanes.append(
            {
                "name": lane["name"],
                "kind": lane["kind"],
                "drawn": Counter(filter(None, drawn)).most_common(),
                "n_absent": drawn.count(None),
                "n_flat": sum(fact["lanes"][i] in fact["flat"] for fact in recordings),
                "n_levels": sum(fact["lanes"][i] in fact["envelopes"] for fact in recordings),
                "scale_uv": style["scale_uv"],
                "guide_uv": style["guide_uv"],
                "band": recipe["filters"][lane["kind"]],
                "ink": inks[min(seen[lane["kind"]], len(inks) - 1)],
            }
        )
        seen[lane["kind"]] += 1
    return lanes


def _contents(report: Report) -> list[dict[str, Any]]:
    """A line for each corpus and split that has rows, and for each split of a mixture."""
    corpora = _with_rows(report)
    lines = []
    for corpus in [*corpora, *([None] if len(corpora) > 1 else [])]:
        for split in SPLITS:
            here = [
                fact
                for fact in report.values["recordings"]
                if fact["split"] == split and corpus in (None, fact["corpus"])
            ]
            if here:
                people = {(fact["corpus"], fact["subject"]) for fact in here}
                line = {"corpus": corpus, "split": split, "recordings": len(here)}
                lines.append({**line, "subjects": len(people)})
    return lines


def _empty(report: Report) -> list[str]:
    """Splits without a row; of a mixture, with the corpus that has none there."""
    corpora = _with_rows(report)
    return [
        split if len(corpora) == 1 else f"{split} of {corpus}"
        for corpus in corpora
        for split in SPLITS
        if not report.n_epochs(corpus=corpus, split=split)
    ]


def _with_rows(report: Report) -> dict[str, Mapping[str, Any]]:
    """Corpora of which something was built."""
    return {
        name: entry
        for name, entry in report.values["corpora"].items()
        if report.n_epochs(corpus=name)
    }


def _title(corpora: Mapping[str, Mapping[str, Any]]) -> str:
    titles = [entry["title"] for entry in corpora.values()]
    return f"Sleep stages as pictures: {titles[0] if len(titles) == 1 else ', '.join(corpora)}"


def _size(n_rows: int) -> str:
    """Size category of the Hub."""
    step = sum(n_rows >= 1000 * 10**i for i in range(len(SIZES) - 1))
    return f"{SIZES[step - 1]}<n<{SIZES[step]}" if step else f"n<{SIZES[0]}"


def _type(feature: Mapping[str, Any]) -> str:
    """A feature in the words of ``datasets``."""
    if "feature" in feature:
        return f"{feature['_type']} of {feature['feature']['dtype']}"
    return str(feature.get("dtype", feature["_type"]))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def _counted(n: int, noun: str) -> str:
    return f"{_number(n)} {noun}" + ("" if n == 1 else "s")


def _cell(words: str) -> str:
    """Text from outside, safe in a table: one line, no folder of this machine, no mark-up."""
    line = re.sub(r"(?<![\w:/.])/(?:[^/\s]+/)+", "", " ".join(words.split()))
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", line)


def _write_bytes(path: Path, data: bytes) -> None:
    with files.whole(path) as temporary:
        temporary.write_bytes(data)
