"""Finished: whether a folder is a finished dataset, by its ``build.json``. Exports and pushes ask it
before they read a shard.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from psgimg.builder import atomic_file
from psgimg.builder.dataset import build_report, build_schema, shards
from psgimg.builder.dataset.build_json import BuildJson, ShardEntry
from psgimg.builder.dataset.build_schema import FormError
from psgimg.builder.errors import BuildError
from psgimg.builder.render.recipe import UnknownKindError

LABELS = "rebuild.json"
"""Marks a labels-only export."""

EXPORT = "export.json"
"""Marks an export for another tool."""

ANEW = "build into a new --out, or fetch the folder anew"
AGAIN = "run the same `psgimg build` again, or fetch the folder anew"


def values(folder: Path) -> BuildJson:
    """What ``build.json`` of a finished folder says, every key that psgimg reads checked.

    No shard is opened: see ``check_shards``.

    Raises
    ------
    BuildError
        If this is no folder, an unfinished one or an export, or ``build.json`` is damaged or of
        another psgimg.
    """
    _refuse_others(folder)
    path = folder / build_report.FILE
    try:
        return build_schema.check(build_report.read(folder))
    except OSError as error:
        raise BuildError(
            f"{path} can't be read ({error.strerror}); mend its permissions"
        ) from error
    except UnknownKindError as error:
        raise BuildError(f"{path}: {error}") from error
    except FormError as wrong:
        raise BuildError(f"{path} is damaged or of another psgimg ({wrong}); {ANEW}") from wrong
    except (ValueError, RecursionError) as error:  # what json raises: no JSON, no UTF-8, too deep
        raise BuildError(f"{path} is damaged ({type(error).__name__}: {error}); {ANEW}") from error


def check_shards(folder: Path, values: BuildJson, wanted: Iterable[ShardEntry]) -> None:
    """Read some shards of a folder and compare their SHA-256; no other shard may lie beside them.

    Parameters
    ----------
    values
        Of ``values(folder)``.
    wanted
        Those of ``values["shards"]`` that will be read.

    Raises
    ------
    BuildError
        If one is missing or not as it was built, or ``data`` holds a file that is not listed.
    """
    listed = {shard["path"] for shard in values["shards"]}
    there = {path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*.parquet")}
    if extra := sorted(there - listed):
        raise BuildError(
            f"{folder / extra[0]} is not in {build_report.FILE}; move it away, or fetch the folder anew"
        )
    for shard in wanted:
        check_shard(folder, shard)


def check_shard(folder: Path, shard: ShardEntry) -> None:
    """Read one shard of a folder and compare its SHA-256.

    Raises
    ------
    BuildError
        If it is missing or not as it was built.
    """
    path = folder / shard["path"]
    if not path.is_file():
        raise BuildError(f"{path} is missing; {AGAIN}")
    try:
        same = path.stat().st_size == shard["bytes"] and atomic_file.sha256(path) == shard["sha256"]
        n_rows = shards.n_rows(path) if same else 0
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split())
        raise BuildError(f"{path} can't be read ({said}); {ANEW}") from error
    if not same:  # a build would keep it: it looks at footers
        raise BuildError(
            f"{path} is not as it was built (its SHA-256 differs); delete it, then {AGAIN}"
        )
    if n_rows != shard["rows"]:
        raise BuildError(
            f"{path} has {n_rows} rows, {build_report.FILE} says {shard['rows']}; {ANEW}"
        )


def _refuse_others(folder: Path) -> None:
    """Refuse what is no finished dataset, and say what it is."""
    if not folder.is_dir():
        raise BuildError(f"{folder} is no folder; build one first: psgimg build --out {folder}")
    if (folder / shards.STATE).exists():
        raise BuildError(
            f"{folder} is not a finished build; run the `psgimg build` that began it again: it goes on "
            "from there"
        )
    if (folder / build_report.FILE).exists():
        return
    if (folder / LABELS).exists():
        raise BuildError(
            f"{folder} holds labels only; publish it with `hf upload NAME {shlex.quote(str(folder))} "
            "--repo-type dataset`, or name the folder that `psgimg build` wrote"
        )
    if (folder / EXPORT).exists():
        raise BuildError(
            f"{folder} is {_form(folder)} export; name the folder that `psgimg build` wrote"
        )
    raise BuildError(
        f"{folder} is not a finished build: it has no {build_report.FILE}; name the --out of a `psgimg build`"
    )


def _form(folder: Path) -> str:
    """Which export a folder is, with its article."""
    try:
        name = json.loads((folder / EXPORT).read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if not (isinstance(name, str) and name.isidentifier()):
        return "another tool's"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
