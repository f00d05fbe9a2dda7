"""Own files: what a build may replace and delete in its folder, and what belongs to the user.

A file is psgimg's if ``build.json`` lists it, if it is a shard with facts in its footer, or if an
interrupted build was about to write it. Everything else in the folder stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.dataset import build_report, public_names, shards
from psgimg.builder.files import bounded, ownership, safe_names

WRITTEN = "written.json"
"""File in the state folder with the names that an interrupted build may have written."""

OPTION = "--out"


def refuse_foreign(out: Path, names: Collection[str]) -> None:
    """Refuse a folder in which a build would replace or delete a file of the user.

    Parameters
    ----------
    names
        Paths in ``out`` of the files that a build writes beside the shards.

    Raises
    ------
    BuildError
        If there is such a file; nothing has been written yet.
    """
    data = out / shards.DATA
    pictures = {name.partition("/")[0] for name in names if "/" in name}
    written = {shards.STATE, shards.DATA, public_names.FILE.partition("/")[0], *pictures}
    safe_names.refuse_links(out, sorted(written))
    folders = {(out / name).parent for name in names} - {out}
    links = [out / shards.STATE, data, *sorted(folders), *sorted(data.glob("*/"))]
    ownership.refuse_links(links, OPTION)
    own = _listed(out) | _begun(out)
    ownership.refuse_foreign(out, names, own, OPTION)
    for path in sorted(data.rglob("*.parquet")):
        if path.relative_to(out).as_posix() not in own and not shards.has_footer(path):
            raise ownership.foreign(path, OPTION)


def begin(out: Path, names: Collection[str]) -> None:
    """Record the names of files that are about to be written, so that a resumed build knows them."""
    atomic_file.write_text(out / shards.STATE / WRITTEN, json.dumps(sorted(names)))


def _listed(out: Path) -> set[str]:
    """Return the paths listed in ``build.json``, and its own; empty if it is not psgimg's."""
    values = ownership.read_mark(build_report.earlier_file(out))
    files, entries = values.get("files"), values.get("shards")
    if not (isinstance(files, dict) and isinstance(entries, list)):
        return set()
    paths = [entry.get("path") for entry in entries if isinstance(entry, dict)]
    return {build_report.FILE, *files, *(path for path in paths if isinstance(path, str))}


def _begun(out: Path) -> set[str]:
    """Return the names recorded by an interrupted build."""
    try:
        names = bounded.read_json(out / shards.STATE / WRITTEN)
    except (OSError, ValueError):
        return set()
    return set(names)
