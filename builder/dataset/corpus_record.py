"""Corpus record: what ``build.json`` says of each corpus, and by which definition a folder grows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.corpora.custom import plugins
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.dataset import shards
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Corpus

STATE = "corpora.json"
"""Definitions of a build that is not finished."""

DEFINITION = "definition"
KEYS = (
    *("title", "policy", "licence", "licence_url", "access", "citation", "notes", "mains_hz"),
    DEFINITION,
)


def record(corpus: Corpus) -> dict[str, Any]:
    """Title, terms and notes of a corpus; its definition if it is not one of psgimg's own."""
    return {
        "title": corpus.title,
        "policy": corpus.terms.policy.value,
        "licence": corpus.terms.licence,
        "licence_url": corpus.terms.licence_url,
        "access": corpus.terms.access,
        "citation": corpus.terms.citation,
        "notes": list(corpus.notes),
        "mains_hz": corpus.mains_hz,
        **({DEFINITION: dict(corpus.definition)} if corpus.definition else {}),
    }


def records(corpora: Iterable[Corpus], before: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Records by name: of this build's corpora, of psgimg's own, and of those of an earlier run.

    Parameters
    ----------
    before
        ``build.json`` of the earlier run; empty if there was none.
    """
    earlier = {
        name: {key: entry[key] for key in KEYS if key in entry}
        for name, entry in before.get("corpora", {}).items()
    }
    own = {name: record(corpus) for name, corpus in CORPORA.items()}
    return {**earlier, **own, **{corpus.name: record(corpus) for corpus in corpora}}


def packages(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Packages that bring the corpora of some records."""
    names = (entry.get(DEFINITION, {}).get(plugins.PACKAGE) for entry in found)
    return sorted({name for name in names if name})


def described(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the corpora, of some records, that a YAML file describes."""
    return [
        name
        for name, entry in found.items()
        if DEFINITION in entry and plugins.PACKAGE not in entry[DEFINITION]
    ]


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Keys in which two definitions differ, for a message; empty if they are the same."""
    return ", ".join(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))


def refuse_changed(out: Path, corpora: Iterable[Corpus], before: Mapping[str, Any]) -> None:
    """Refuse a folder that was built, or begun, with another definition of a corpus; else keep it.

    Parameters
    ----------
    before
        ``build.json`` of the folder; empty if it has none yet.

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
    before: Mapping[str, Any],
    built: Iterable[Mapping[str, Any]],
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


def _definitions(out: Path, before: Mapping[str, Any]) -> dict[str, Any]:
    """Definitions of a folder's corpora by name."""
    found = {
        name: entry[DEFINITION]
        for name, entry in before.get("corpora", {}).items()
        if DEFINITION in entry
    }
    path = out / shards.STATE / STATE
    try:
        begun = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise BuildError(f"{path} is damaged ({error}); choose another --out") from error
    return {**found, **begun}
