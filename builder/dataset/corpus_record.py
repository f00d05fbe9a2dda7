"""Corpus record: what ``build.json`` says of each corpus, and by which definition a folder grows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from psgimg.builder import atomic_file
from psgimg.builder.corpora.custom import plugins
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.build_json import BuildJson, CorpusRecord, RecordingFacts
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Corpus

STATE = "corpora.json"
"""Definitions of a build that is not finished."""


def record(corpus: Corpus) -> CorpusRecord:
    """Title, terms and notes of a corpus; its definition if it is not one of psgimg's own."""
    found: CorpusRecord = {
        "title": corpus.title,
        "policy": corpus.terms.policy.value,
        "licence": corpus.terms.licence,
        "licence_url": corpus.terms.licence_url,
        "access": corpus.terms.access,
        "citation": corpus.terms.citation,
        "notes": list(corpus.notes),
        "mains_hz": corpus.mains_hz,
    }
    return {**found, "definition": dict(corpus.definition)} if corpus.definition else found


def records(corpora: Iterable[Corpus], before: BuildJson | None) -> dict[str, CorpusRecord]:
    """Records by name: of this build's corpora, of psgimg's own, and of those of an earlier run.

    Parameters
    ----------
    before
        ``build.json`` of the earlier run, if there was one.
    """
    entries = before["corpora"] if before else {}
    earlier = {name: _record_of(entry) for name, entry in entries.items()}
    own = {name: record(corpus) for name, corpus in CORPORA.items()}
    return {**earlier, **own, **{corpus.name: record(corpus) for corpus in corpora}}


def packages(found: Iterable[CorpusRecord]) -> list[str]:
    """Packages that bring the corpora of some records."""
    names = (entry.get("definition", {}).get(plugins.PACKAGE) for entry in found)
    return sorted({name for name in names if name})


def described(found: Mapping[str, CorpusRecord]) -> list[str]:
    """Names of the corpora, of some records, that a YAML file describes."""
    return [
        name
        for name, entry in found.items()
        if "definition" in entry and plugins.PACKAGE not in entry["definition"]
    ]


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Keys in which two definitions differ, for a message; empty if they are the same."""
    return ", ".join(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))


def refuse_changed(out: Path, corpora: Iterable[Corpus], before: BuildJson | None) -> None:
    """Refuse a folder that was built, or begun, with another definition of a corpus; else keep it.

    Parameters
    ----------
    before
        ``build.json`` of the folder, if it has one yet.

    Raises
    ------
    BuildError
        With the keys that differ.
    """
    known = _definitions(out, before)
    now = {corpus.name: dict(corpus.definition) for corpus in corpora if corpus.definition}
    for name, definition in now.items():
        if keys := changed(known.get(name, definition), definition):
            raise BuildError(
                f"{out} was built with another {name} ({keys}); use the same file or package, or choose "
                "another --out"
            )
    if now:
        atomic_file.write_text(out / shards.STATE / STATE, json.dumps({**known, **now}, indent=1))


def refuse_unnamed(
    out: Path,
    corpora: Iterable[Corpus],
    before: BuildJson | None,
    built: Iterable[RecordingFacts],
) -> None:
    """Refuse to go on with a folder that holds a corpus whose terms nobody here can name.

    Parameters
    ----------
    built
        Facts of the recordings in the folder.

    Raises
    ------
    BuildError
        If an unfinished build left recordings of a corpus that is not a source of this one.
    """
    known = records(corpora, before)
    if unnamed := sorted({fact["corpus"] for fact in built} - set(known)):
        raise BuildError(
            f"{out} holds recordings of {unnamed[0]} from a build that was interrupted; give its "
            "--source too, or choose another --out"
        )


def _definitions(out: Path, before: BuildJson | None) -> dict[str, Any]:
    """Definitions of a folder's corpora by name."""
    found = {
        name: entry["definition"]
        for name, entry in (before["corpora"] if before else {}).items()
        if "definition" in entry
    }
    path = out / shards.STATE / STATE
    try:
        begun = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise BuildError(f"{path} is damaged ({error}); choose another --out") from error
    return {**found, **begun}


def _record_of(entry: CorpusRecord) -> CorpusRecord:
    """An entry of ``build.json`` without its counts."""
    known = {key: value for key, value in entry.items() if key in CorpusRecord.__annotations__}
    return cast(CorpusRecord, known)
