"""Audit: check before publication that a dataset folder is complete and unchanged since its build.

Everything is read: hashes, columns, labels, counts, splits, and the chunks of every picture.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from psgimg.builder.atomic_file import sha256
from psgimg.builder.card import card_metadata, dataset_card, terms_files
from psgimg.builder.dataset import build_report, placements, shards, validate
from psgimg.builder.dataset.build_json import (
    BuildJson,
    BuiltRecording,
    RecordingFacts,
    ShardEntry,
)
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS, n_variants, variant_columns
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.hash_cache import HashCache
from psgimg.builder.render import png
from psgimg.builder.stages import STAGE_NAMES

FOOTER_KEYS = {b"ARROW:schema", b"huggingface", shards.FOOTER.encode()}
MACHINE_PATH = re.compile(r"(?<![\w:/.~<-])(/(?:[\w.+~-]+/)+[\w.+~-]*)")
"""An absolute path of at least two parts that is not part of an address."""
AGAIN = "delete it and repeat the `psgimg build` that created it"


@dataclass(frozen=True)
class Build:
    """A folder that passed the audit, with the contents of its ``build.json``."""

    folder: Path
    values: BuildJson

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of every file of the dataset, by path in the folder."""
        listed = {path: entry["sha256"] for path, entry in self.values["files"].items()}
        return {**listed, **{shard["path"]: shard["sha256"] for shard in self.values["shards"]}}


def audit(folder: Path, values: BuildJson, checked: Callable[[int], None]) -> Build:
    """Check a dataset folder.

    Parameters
    ----------
    values
        Contents of its ``build.json`` (``validate.values``).
    checked
        Called with the number of bytes after each shard.

    Raises
    ------
    BuildError
        If the folder was changed by hand, or contains anything that must not be published.
    """
    build = Build(folder, values)
    validate.check_names(folder, values)
    for path, entry in build.values["files"].items():
        if not (folder / path).is_file() or sha256(folder / path) != entry["sha256"]:
            raise BuildError(f"{folder / path} was changed or removed by hand; {AGAIN}")
    listed = {shard["path"] for shard in build.values["shards"]}
    facts = {(fact["corpus"], fact["recording"]): fact for fact in build.values["recordings"]}
    present = {path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*.parquet")}
    if extra := sorted(present - listed):
        raise BuildError(f"{folder / extra[0]} does not belong to this build; {AGAIN}")
    stages: Counter[tuple[str, str, str]] = Counter()
    known, content = HashCache.load(), validate.Content.of(values)
    for shard in build.values["shards"]:
        validate.check_shard(folder, content, shard, known)
        stages += _shard(folder, shard, facts)
        checked(shard["bytes"])
    _counts(folder, build.values, stages)
    _people(folder, build.values)
    _card(folder, build.values)
    _paths(folder)
    return build


def _shard(
    folder: Path, shard: ShardEntry, listed: Mapping[shards.Key, BuiltRecording]
) -> Counter[tuple[str, str, str]]:
    """Check one shard; return its numbers of epochs by corpus, split and stage."""
    path = folder / shard["path"]
    stages: Counter[tuple[str, str, str]] = Counter()
    with pq.ParquetFile(path) as file:
        if extra := set(file.metadata.metadata) - FOOTER_KEYS:
            raise BuildError(f"{path}: unknown footer keys {sorted(extra)}; {AGAIN}")
        for facts, row_group in zip(_facts(file), range(file.num_row_groups), strict=True):
            key = (facts["corpus"], facts["recording"])
            entry = listed.get(key)
            if entry is None or {**facts, "split": shard["split"]} != entry:
                raise BuildError(f"{path}: {key[1]} differs from {build_report.FILE}; {AGAIN}")
            table = file.read_row_group(row_group)
            stages += _rows(path, table, entry)
    return stages


def _facts(file: Any) -> list[RecordingFacts]:
    facts: list[RecordingFacts] = bounded.loads(
        file.metadata.metadata[shards.FOOTER.encode()], "the footer"
    )
    return facts


def _rows(path: Path, table: Any, fact: BuiltRecording) -> Counter[tuple[str, str, str]]:
    """Check the rows of one recording; return its numbers of epochs by stage."""
    where = f"{path}: recording {fact['recording']}"
    if pc.unique(table["recording"]).to_pylist() != [fact["recording"]]:
        raise BuildError(f"{where}: its rows are those of another; {AGAIN}")
    columns = variant_columns(n_variants(table.schema))
    drawn = columns[: fact.get("variants", 0)]
    for name in ("image", *drawn):
        _pictures(table[name].combine_chunks(), where)
    for name in columns:
        if name not in drawn and table[name].null_count != len(table):
            raise BuildError(f"{where}: {name} has pictures, in {fact['split']}; {AGAIN}")
    counted = Counter(table["label"].to_pylist())
    stages = {stage: counted.pop(i, 0) for i, stage in enumerate(STAGE_NAMES)}
    if counted or any(stages[name] != fact["stages"].get(name, 0) for name in STAGE_NAMES):
        raise BuildError(f"{where}: its labels differ from their counts; {AGAIN}")
    return Counter({(fact["corpus"], fact["split"], stage): n for stage, n in stages.items() if n})


def _pictures(image: Any, where: str) -> None:
    """Check that every row has a picture, with nothing beside its pixels."""
    if image.field("path").null_count != len(image):
        raise BuildError(
            f"{where}: a picture has a file name, which could reveal its stage; {AGAIN}"
        )
    if image.field("bytes").null_count or image.null_count:
        raise BuildError(f"{where}: a picture is missing; {AGAIN}")
    for page in image.field("bytes"):
        if extra := png.chunks(page.as_buffer()) - png.CHUNKS:
            raise BuildError(
                f"{where}: a picture contains {b', '.join(sorted(extra)).decode('latin-1')}, text or time "
                f"beside its pixels; {AGAIN}"
            )


def _counts(folder: Path, values: BuildJson, stages: Counter[tuple[str, str, str]]) -> None:
    stated = {
        (corpus, split, stage): n
        for corpus, by_split in values["counts"].items()
        for split, by_stage in by_split.items()
        for stage, n in by_stage.items()
        if n
    }
    if stated != dict(stages):
        raise BuildError(
            f"{folder / build_report.FILE}: its counts differ from the shards; {AGAIN}"
        )


def _people(folder: Path, values: BuildJson) -> None:
    """Refuse a subject or family that is in two splits; a named published split may part families."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    may_part = "named_split" in values["fixed"]
    for fact in values["recordings"]:
        seen[fact["corpus"], f"subject {fact['subject']}"].add(fact["split"])
        if not may_part:
            seen[fact["corpus"], f"family {fact['kin']}"].add(fact["split"])
    for (corpus, person), splits in sorted(seen.items()):
        if len(splits) > 1:
            raise BuildError(
                f"{folder / build_report.FILE}: {person} of {corpus} is in {' and '.join(sorted(splits))}; {AGAIN}"
            )
    if placements.parted(values["recordings"]) != values["parted"]:
        raise BuildError(
            f"{folder / build_report.FILE}: its relatives in different splits are counted wrongly; {AGAIN}"
        )


def _card(folder: Path, values: BuildJson) -> None:
    """Check that the card's YAML header lists the existing configs and numbers of rows."""
    text = (folder / dataset_card.FILE).read_text(encoding="utf-8")
    check_head(text, Report(values), str(folder / dataset_card.FILE))


def check_head(text: str, result: Report, where: str) -> None:
    """Compare a card's YAML header with the counts: ``load_dataset`` refuses other numbers."""
    import yaml

    try:
        head = yaml.safe_load(text.split("---\n", 2)[1])
        infos = {entry["config_name"]: entry for entry in head["dataset_info"]}
        names = [entry["config_name"] for entry in head["configs"]]
        stated = {
            (name, split["name"]): split["num_examples"]
            for name, entry in infos.items()
            for split in entry["splits"]
        }
    except (yaml.YAMLError, IndexError, KeyError, TypeError) as error:
        raise BuildError(f"{where}: its YAML header is damaged ({error}); {AGAIN}") from error
    corpora = card_metadata.with_rows(result)
    counted = {
        (name, split): n
        for name in (card_metadata.ALL, *corpora)
        for split in SPLITS
        if (n := result.n_epochs(None if name == card_metadata.ALL else name, split))
    }
    if stated != counted or set(names) != {card_metadata.ALL, *corpora}:
        raise BuildError(f"{where}: the counts in its YAML header differ from the shards; {AGAIN}")


def _paths(folder: Path) -> None:
    """Refuse local paths in the files that will be published for reading."""
    for name in (dataset_card.FILE, build_report.FILE, *terms_files.FILES):
        text = (folder / name).read_text(encoding="utf-8")
        if match := MACHINE_PATH.search(text):
            raise BuildError(
                f"{folder / name} contains a path of this machine, {match.group(1)!r}; {AGAIN}"
            )
