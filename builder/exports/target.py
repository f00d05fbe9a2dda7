"""Target: the folder of an export, whole or absent.

Everything is written into ``.NAME.part`` beside it, which becomes the folder in one step at the
end. A killed export leaves the folder as it was; the next one clears away what is left over.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from psgimg.builder.errors import BuildError
from psgimg.builder.exports.source import Source

FILE = "export.json"
"""Marks a folder as an export of psgimg, and says what is in it."""

KEPT = ("psgimg", "versions", "command", "recipe", "recipe_hash", "fixed", "policy", "corpora")
"""What an export keeps of the dataset's ``build.json``."""


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
    out = out.absolute()
    _refuse_inside(source.folder, out)
    _refuse_foreign(out, form)
    room = out.with_name(f".{out.name}.part")
    try:
        room.mkdir(parents=True, exist_ok=True)
        with FileLock(room / "lock", timeout=0):
            for left_over in (room / "new", room / "old"):
                shutil.rmtree(left_over, ignore_errors=True)
            (room / "new").mkdir()
            try:
                yield room / "new"
                _mark(room / "new", form, source, facts)
                if out.exists():
                    out.replace(room / "old")
                (room / "new").replace(out)
            finally:
                shutil.rmtree(room, ignore_errors=True)
    except Timeout:
        raise BuildError(
            f"another export is writing {out}; wait for it or choose another --out"
        ) from None
    except OSError as error:
        raise BuildError(
            f"can't write {out}: {error.strerror or error}; free some space there, mend its "
            "permissions or choose another --out"
        ) from error


def _mark(folder: Path, form: str, source: Source, facts: Mapping[str, Any]) -> None:
    """Write ``export.json``: what this is, of which dataset, and what lies at its top."""
    rows = {
        split: sum(shard["rows"] for shard in source.shards if shard["split"] == split)
        for split in source.splits
    }
    mark = {
        "format": form,
        "rows": rows,
        **facts,
        **{key: source.values[key] for key in KEPT},
        "entries": sorted([FILE, *(path.name for path in folder.iterdir())]),
    }
    text = json.dumps(mark, indent=1, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def _refuse_inside(folder: Path, out: Path) -> None:
    """Refuse to export into the dataset itself: a later push would take it along."""
    place = out.resolve()
    if folder.resolve() in (place, *place.parents):
        raise BuildError(f"--out {out} lies in the dataset {folder}; choose a folder outside it")


def _refuse_foreign(out: Path, form: str) -> None:
    """Refuse a folder with anything in it that an export in this format did not put there."""
    if out.exists() and not out.is_dir():
        raise BuildError(f"--out {out} is a file; choose another --out")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    if foreign := sorted(found - _entries(out, form)):
        raise BuildError(
            f"--out {out} holds {foreign[0]}, which is not of an earlier {form} export; choose "
            "another --out or move it away"
        )


def _entries(out: Path, form: str) -> set[str]:
    """What an earlier export in this format put at the top of its folder."""
    try:
        mark = json.loads((out / FILE).read_text(encoding="utf-8"))
        return set(mark["entries"]) if mark["format"] == form else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
