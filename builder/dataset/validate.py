"""Validate: check that a folder is a finished dataset, before it is exported or pushed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import build_report, build_schema, name_forms, shards
from psgimg.builder.dataset.build_json import BuildJson, ShardEntry
from psgimg.builder.dataset.json_form import FormError
from psgimg.builder.dataset.schema import all_features, schema
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, quoting, safe_names
from psgimg.builder.files.hash_cache import HashCache
from psgimg.builder.render.recipe import UnknownKindError
from psgimg.builder.stages import STAGE_NAMES

LABELS = "rebuild.json"
"""File that marks a labels-only export."""

EXPORT = "export.json"
"""File that marks an export for another tool."""

ANEW = "build into a new --out, or download the folder again"
REDRAW = "build into a new --out, where such names become numbers"
NAMES = ("corpus", "subject", "recording")
NUMBERS = ("label", "epoch", "onset_s")
"""Columns of a shard that name a recording, and those that have a number in every row."""

STAGES = frozenset(range(len(STAGE_NAMES)))

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
        checked = build_schema.check(build_report.read(folder))
        safe_names.refuse_links(folder, (shards.DATA, *checked["files"]))
        return checked
    except OSError as error:
        raise BuildError(f"{path} can't be read ({error.strerror}); fix its permissions") from error
    except UnknownKindError as error:
        raise BuildError(f"{path}: {error}") from error
    except FormError as error:
        raise BuildError(
            f"{path} is damaged or was written by another version of psgimg ({error}); {ANEW}"
        ) from error
    except ValueError as error:  # no JSON, no UTF-8, too large or nested too deeply
        raise BuildError(f"{path} is damaged ({type(error).__name__}: {error}); {ANEW}") from error


def check_names(folder: Path, values: BuildJson) -> None:
    """Refuse names of subjects and recordings that could be those of people, before they are shared.

    Parameters
    ----------
    values
        Result of ``values(folder)``.

    Raises
    ------
    BuildError
        If a name has neither the form of its corpus nor that of letters and a number.
    """
    corpora = {**registry.CORPORA, **registry.installed().corpora}
    for fact in values["recordings"]:
        names = (fact["subject"], fact["recording"], fact["kin"])
        if odd := name_forms.odd_names(corpora.get(fact["corpus"]), *names):
            kind, name = next(iter(odd.items()))
            raise BuildError(
                f"{folder}: the {kind} {name} of {fact['corpus']} may be the name of a person; {REDRAW}"
            )
    for entry in values["set_aside"]:
        name = entry["recording"]
        if not name_forms.is_public(corpora.get(entry["corpus"]), name):
            raise BuildError(
                f"{folder}: the recording {name} of {entry['corpus']}, which was set aside, may have the "
                f"name of a person; {REDRAW}"
            )


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
    known, content = HashCache.load(), Content.of(values)
    for shard in wanted:
        check_shard(folder, content, shard, known)


class Content(NamedTuple):
    """What ``build.json`` says of the rows of all shards.

    Parameters
    ----------
    recordings
        Corpus, subject and name of every recording.
    n_variants
        Number of columns with variants.
    """

    recordings: frozenset[tuple[str, str, str]]
    n_variants: int

    @classmethod
    def of(cls, values: BuildJson) -> Content:
        """Return what the values of ``build.json`` say."""
        facts = values["recordings"]
        listed = ((fact["corpus"], fact["subject"], fact["recording"]) for fact in facts)
        return cls(frozenset(listed), len(values["fixed"].get("variants", [])))


def check_shard(
    folder: Path,
    content: Content,
    shard: ShardEntry,
    known: HashCache,
) -> None:
    """Compare the SHA-256 and the rows of one shard with ``build.json``; no picture is decoded.

    Parameters
    ----------
    content
        What ``build.json`` says of all rows.
    known
        Hashes of unchanged files, which are not read again.

    Raises
    ------
    BuildError
        If the shard is missing or has changed.
    """
    path = folder / shard["path"]
    if not path.is_file():
        raise BuildError(f"{path} is missing; {AGAIN}")
    try:
        same = path.stat().st_size == shard["bytes"] and known.sha256(path) == shard["sha256"]
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
    _check_rows(path, content)


def _check_rows(path: Path, content: Content) -> None:
    """Refuse columns that no build writes, and rows of another recording than the listed ones."""
    if not _has_columns(pq.read_schema(path), content.n_variants):
        raise BuildError(
            f"{path}: columns or ClassLabel names differ from those of this psgimg; {ANEW}"
        )
    with pq.ParquetFile(path, read_dictionary=list(NAMES)) as file:
        for i in range(file.num_row_groups):
            rows = file.read_row_group(i, [*NAMES, *NUMBERS])
            name = tuple(pc.unique(rows[column]).to_pylist() for column in NAMES)
            if (
                any(len(one) != 1 for one in name)
                or tuple(one[0] for one in name) not in content.recordings
            ):
                raise BuildError(
                    f"{path}: recording {i + 1} differs from {build_report.FILE}: its rows have other "
                    f"names; {ANEW}"
                )
            labels = pc.unique(rows["label"]).to_pylist()
            if any(rows[column].null_count for column in NUMBERS) or not STAGES.issuperset(labels):
                raise BuildError(
                    f"{path}: a row of {name[-1][0]} has no valid stage or time; {ANEW}"
                )


def _has_columns(found: pa.Schema, n_variants: int) -> bool:
    """Whether a shard has the columns of a dataset, and the names of the stages."""
    try:
        stated = bounded.loads((found.metadata or {})[b"huggingface"], "its metadata")
        features = stated["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return False
    wanted = schema(n_variants=n_variants)
    return bool(features == all_features(n_variants) and found.equals(wanted))


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
        name = bounded.read_json(folder / EXPORT)["format"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if not (isinstance(name, str) and name.isidentifier()):
        return "another tool's"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
