"""Target: the folder of an export, written completely or not at all, with its ``export.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_folder
from psgimg.builder.card import terms_files
from psgimg.builder.dataset import validate
from psgimg.builder.errors import BuildError
from psgimg.builder.exports.source import Source
from psgimg.builder.files import bounded, ownership

FILE = validate.EXPORT
"""Marks a folder as an export of psgimg, and describes its contents."""

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
"""Keys of the dataset's ``build.json`` kept in an export; only a corrupted twin has the last one."""


@contextmanager
def new(source: Source, out: Path, form: str, **facts: Any) -> Iterator[Path]:
    """Yield a temporary folder for an export, renamed to ``out`` on success and otherwise deleted.

    Parameters
    ----------
    form
        Name of the format.
    facts
        Further values for ``export.json``.

    Raises
    ------
    BuildError
        If ``out`` contains anything but an earlier export in this format, which is replaced; if
        another export is writing to it; or if it can't be written.
    """
    _refuse_additions(out)
    with atomic_folder.whole(out, source.folder, lambda: _entries(out, form), form) as draft:
        yield draft
        held = {shard["corpus"] for shard in source.shards}
        for name, text in terms_files.texts(source.values, held).items():
            (draft / name).write_text(text, encoding="utf-8", newline="\n")
        _mark(draft, form, source, facts)


def _mark(folder: Path, form: str, source: Source, facts: Mapping[str, Any]) -> None:
    """Write ``export.json``: the format, the dataset, and the entries of the folder."""
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
        "n_files": _n_files(folder) + 1,
    }
    text = json.dumps(mark, indent=1, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def _refuse_additions(out: Path) -> None:
    """Refuse to replace an earlier export to whose folders somebody has added files."""
    n_written = ownership.read_mark(out / FILE).get("n_files")
    if isinstance(n_written, int) and (n_added := _n_files(out) - n_written) > 0:
        raise BuildError(
            f"--out {out} holds {n_added} more files than its earlier export wrote; move them away "
            "or choose another --out"
        )


def _n_files(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder))


def _entries(out: Path, form: str) -> set[str]:
    """Return the entries of the folder of an earlier export in this format."""
    try:
        mark = bounded.read_json(out / FILE)
        return set(mark["entries"]) if mark["format"] == form else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
