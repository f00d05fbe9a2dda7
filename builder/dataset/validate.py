"""Validate: check that a folder is a finished dataset, before it is exported or pushed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from psgimg.builder import atomic_file
from psgimg.builder.dataset import build_report, build_schema, shards
from psgimg.builder.dataset.build_json import BuildJson, ShardEntry
from psgimg.builder.dataset.build_schema import FormError
from psgimg.builder.errors import BuildError
from psgimg.builder.files import quoting
from psgimg.builder.render.recipe import UnknownKindError

LABELS = "rebuild.json"
"""File that marks a labels-only export."""

EXPORT = "export.json"
"""File that marks an export for another tool."""

ANEW = "build into a new --out, or download the folder again"
AGAIN = "run the same `psgimg build` again, or download the folder again"


def values(folder: Path) -> BuildJson:
    """Return the checked contents of the ``build.json`` of a finished dataset.

    No shard is opened; see ``check_shards``.

    Raises
    ------
    BuildError
        If the folder does not exist, is unfinished or is an export, or if ``build.json`` is damaged
        or of another psgimg version.
    """
    _refuse_others(folder)
    path = folder / build_report.FILE
    try:
        return build_schema.check(build_report.read(folder))
    except OSError as error:
        raise BuildError(f"{path} can't be read ({error.strerror}); fix its permissions") from error
    except UnknownKindError as error:
        raise BuildError(f"{path}: {error}") from error
    except FormError as error:
        raise BuildError(
            f"{path} is damaged or was written by another version of psgimg ({error}); {ANEW}"
        ) from error
    except (ValueError, RecursionError) as error:  # of json: no JSON, no UTF-8, nested too deeply
        raise BuildError(f"{path} is damaged ({type(error).__name__}: {error}); {ANEW}") from error


def check_shards(folder: Path, values: BuildJson, wanted: Iterable[ShardEntry]) -> None:
    """Compare the SHA-256 of some shards with ``build.json``, and refuse shards that are not listed.

    Parameters
    ----------
    values
        Result of ``values(folder)``.
    wanted
        The entries of ``values["shards"]`` to check.

    Raises
    ------
    BuildError
        If a shard is missing or has changed, or ``data`` contains a file that is not listed.
    """
    listed = {shard["path"] for shard in values["shards"]}
    present = {path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*.parquet")}
    if extra := sorted(present - listed):
        raise BuildError(
            f"{folder / extra[0]} is not in {build_report.FILE}; move it away, or download the "
            "folder again"
        )
    for shard in wanted:
        check_shard(folder, shard)


def check_shard(folder: Path, shard: ShardEntry) -> None:
    """Compare the SHA-256 and the number of rows of one shard with its entry in ``build.json``.

    Raises
    ------
    BuildError
        If the shard is missing or has changed.
    """
    path = folder / shard["path"]
    if not path.is_file():
        raise BuildError(f"{path} is missing; {AGAIN}")
    try:
        same = path.stat().st_size == shard["bytes"] and atomic_file.sha256(path) == shard["sha256"]
        n_rows = shards.n_rows(path) if same else 0
    except (pa.ArrowException, OSError) as error:
        message = " ".join(str(error).split())
        raise BuildError(f"{path} can't be read ({message}); {ANEW}") from error
    if not same:  # it must be deleted, as a build would keep it by its footer
        raise BuildError(
            f"{path} has changed since it was built (its SHA-256 differs); delete it, then {AGAIN}"
        )
    if n_rows != shard["rows"]:
        raise BuildError(
            f"{path} has {n_rows} rows, but {build_report.FILE} lists {shard['rows']}; {ANEW}"
        )


def _refuse_others(folder: Path) -> None:
    """Refuse a folder that is not a finished dataset, and report what it is."""
    if not folder.is_dir():
        first = quoting.command("build", source="NAME", out=folder)
        raise BuildError(f"{folder} is not a folder; build one first: {first}")
    if (folder / shards.STATE).exists():
        raise BuildError(
            f"{folder} is not a finished build; run the same `psgimg build` again to resume it"
        )
    if (folder / build_report.FILE).exists():
        return
    if (folder / LABELS).exists():
        raise BuildError(
            f"{folder} contains labels only; publish it with `hf upload NAME {quoting.shell(folder)} "
            "--repo-type dataset`, or use the folder that `psgimg build` wrote"
        )
    if (folder / EXPORT).exists():
        raise BuildError(
            f"{folder} is {_form(folder)} export; use the folder that `psgimg build` wrote"
        )
    raise BuildError(
        f"{folder} is not a finished build: it has no {build_report.FILE}; use the --out of a `psgimg build`"
    )


def _form(folder: Path) -> str:
    """Return the format of an export, with its article."""
    try:
        name = json.loads((folder / EXPORT).read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if not (isinstance(name, str) and name.isidentifier()):
        return "another tool's"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
