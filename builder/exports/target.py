"""Target: the folder of an export, whole or absent, with ``export.json`` that says what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_folder
from psgimg.builder.dataset import validate
from psgimg.builder.exports.source import Source

FILE = validate.EXPORT
"""Marks a folder as an export of psgimg, and says what is in it."""

KEPT = (
    "psgimg",
    "versions",
    "command",
    "recipe",
    "recipe_hash",
    "fixed",
    "policy",
    "corpora",
    "corruption",
)
"""What an export keeps of the dataset's ``build.json``; only a corrupted twin has the last."""


@contextmanager
def new(source: Source, out: Path, form: str, **facts: Any) -> Iterator[Path]:
    """A folder to write an export into; on success it becomes ``out``, on failure it goes.

    Parameters
    ----------
    form
        Name of the format.
    facts
        What else ``export.json`` should say.

    Raises
    ------
    BuildError
        If ``out`` holds anything but an earlier export in this format, which is replaced; if
        another export writes to it; or if it can't be written.
    """
    with atomic_folder.whole(out, source.folder, _entries(out, form), form) as room:
        yield room
        _mark(room, form, source, facts)


def _mark(folder: Path, form: str, source: Source, facts: Mapping[str, Any]) -> None:
    """Write ``export.json``: what this is, of which dataset, and what lies at its top."""
    rows = {
        split: sum(shard["rows"] for shard in source.shards if shard["split"] == split)
        for split in source.splits
    }
    values: Mapping[str, object] = source.values
    mark = {
        "format": form,
        "rows": rows,
        **facts,
        **{key: values[key] for key in KEPT if key in values},
        "entries": sorted([FILE, *(path.name for path in folder.iterdir())]),
    }
    text = json.dumps(mark, indent=1, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def _entries(out: Path, form: str) -> set[str]:
    """What an earlier export in this format put at the top of its folder."""
    try:
        mark = json.loads((out / FILE).read_text(encoding="utf-8"))
        return set(mark["entries"]) if mark["format"] == form else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
