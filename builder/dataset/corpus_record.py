"""Corpus record: the entry of each corpus in ``build.json``, and the definition a folder is bound to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from psgimg.builder import atomic_file
from psgimg.builder.corpora.custom import plugins
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.build_json import (
    BuildJson,
    BuiltRecording,
    CorpusCounts,
    CorpusRecord,
    RecordingFacts,
    SetAsideEntry,
    StageCounts,
)
from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.recordings.recording import Corpus
from psgimg.builder.stages import STAGE_NAMES

STATE = "corpora.json"
"""File with the definitions of an unfinished build."""


def record(corpus: Corpus) -> CorpusRecord:
    """Return title, terms and notes of a corpus; its definition if it is not one of psgimg's own."""
    entry: CorpusRecord = {
        "title": corpus.title,
        "policy": corpus.terms.policy.value,
        "licence": corpus.terms.licence,
        "licence_url": corpus.terms.licence_url,
        "access": corpus.terms.access,
        "citation": corpus.terms.citation,
        "notes": list(corpus.notes),
        "mains_hz": corpus.mains_hz,
    }
    if corpus.terms.version:
        entry["version"] = corpus.terms.version
    if corpus.terms.references:
        entry["references"] = [reference.to_dict() for reference in corpus.terms.references]
    return {**entry, "definition": dict(corpus.definition)} if corpus.definition else entry


def records(corpora: Iterable[Corpus], before: BuildJson | None) -> dict[str, CorpusRecord]:
    """Return records by name: of this build's corpora, psgimg's own, and those of an earlier run.

    Parameters
    ----------
    before
        ``build.json`` of the earlier run, if there was one.
    """
    entries = before["corpora"] if before else {}
    earlier = {name: _record_of(entry) for name, entry in entries.items()}
    own = {name: record(corpus) for name, corpus in CORPORA.items()}
    return {**earlier, **own, **{corpus.name: record(corpus) for corpus in corpora}}


def packages(entries: Iterable[CorpusRecord]) -> list[str]:
    """Return the packages that provide the corpora of some records."""
    names = (entry.get("definition", {}).get(plugins.PACKAGE) for entry in entries)
    return sorted({name for name in names if isinstance(name, str) and name})


def versions(packages: Iterable[str], before: BuildJson | None) -> dict[str, str]:
    """Return the versions of packages that provide corpora; of one not installed, as recorded before."""
    earlier = before["versions"] if before else {}
    found: dict[str, str] = {name: earlier[name] for name in packages if name in earlier}
    for name in packages:
        with suppress(PackageNotFoundError, ValueError):
            found[name] = version(name)
    return found


def described(entries: Mapping[str, CorpusRecord]) -> list[str]:
    """Return the names of the corpora that are described by a YAML file."""
    return [
        name
        for name, entry in entries.items()
        if "definition" in entry and plugins.PACKAGE not in entry["definition"]
    ]


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the keys in which two definitions differ, for a message; empty if they are equal."""
    return ", ".join(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))


def refuse_changed(out: Path, corpora: Iterable[Corpus], before: BuildJson | None) -> None:
    """Refuse a folder built or started with a different definition of a corpus; else record it.

    Parameters
    ----------
    before
        ``build.json`` of the folder, if it has one yet.

    Raises
    ------
    BuildError
        If a definition differs; the message lists the keys.
    """
    recorded = _definitions(out, before)
    now = {corpus.name: dict(corpus.definition) for corpus in corpora if corpus.definition}
    for name, definition in now.items():
        if keys := changed(recorded.get(name, definition), definition):
            raise BuildError(
                f"{out} was built with a different definition of {name} ({keys}); use the same file or "
                "package, or choose another --out"
            )
    if now:
        atomic_file.write_text(
            out / shards.STATE / STATE, json.dumps({**recorded, **now}, indent=1)
        )


def refuse_unnamed(
    out: Path,
    corpora: Iterable[Corpus],
    before: BuildJson | None,
    built: Iterable[RecordingFacts],
) -> None:
    """Refuse to resume a folder with a corpus whose terms are unknown to this build.

    Parameters
    ----------
    built
        Facts of the recordings in the folder.

    Raises
    ------
    BuildError
        If an unfinished build left recordings of a corpus that is not a source of this one.
    """
    named = records(corpora, before)
    if unnamed := sorted({fact["corpus"] for fact in built} - set(named)):
        raise BuildError(
            f"{out} contains recordings of {unnamed[0]} from an interrupted build; add its --source, "
            "or choose another --out"
        )


def found(
    name: str, recordings: Sequence[BuiltRecording], aside: Sequence[SetAsideEntry]
) -> CorpusCounts:
    """Return how many recordings of a corpus were found, built and set aside, and its subjects."""
    built = [fact for fact in recordings if fact["corpus"] == name]
    n_aside = sum(entry["corpus"] == name for entry in aside)
    return {
        "found": len(built) + n_aside,
        "built": len(built),
        "set_aside": n_aside,
        "subjects": len({fact["subject"] for fact in built}),
    }


def counts(name: str, recordings: Sequence[BuiltRecording]) -> dict[SplitName, StageCounts]:
    """Return the number of epochs of a corpus by split and stage."""
    by_split: dict[SplitName, StageCounts] = {
        split: dict.fromkeys(STAGE_NAMES, 0) for split in SPLITS
    }
    for fact in recordings:
        if fact["corpus"] == name:
            for stage, n in fact["stages"].items():
                by_split[fact["split"]][stage] += n
    return by_split


def left_out(name: str, recordings: Sequence[BuiltRecording]) -> dict[str, int]:
    """Return the number of epochs of a corpus without a picture by reason."""
    total: Counter[str] = Counter()
    for fact in recordings:
        if fact["corpus"] == name:
            total.update(fact["left_out"])
    return dict(sorted(total.items()))


def _definitions(out: Path, before: BuildJson | None) -> dict[str, Any]:
    """Return the recorded definitions of a folder's corpora by name."""
    finished = {
        name: entry["definition"]
        for name, entry in (before["corpora"] if before else {}).items()
        if "definition" in entry
    }
    path = out / shards.STATE / STATE
    try:
        unfinished = bounded.read_json(path) if path.exists() else {}
        return {**finished, **{name: dict(each) for name, each in unfinished.items()}}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BuildError(f"{path} is damaged ({error}); choose another --out") from error


def _record_of(entry: CorpusRecord) -> CorpusRecord:
    """Return an entry of ``build.json`` without its counts, each text on one line.

    The entry may be of somebody else's release, and its lines would become those of the card.
    """
    kept = {
        key: " ".join(value.split()) if isinstance(value, str) else value
        for key, value in entry.items()
        if key in CorpusRecord.__annotations__
    }
    return cast(CorpusRecord, kept)
