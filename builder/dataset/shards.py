"""Shards: write rows to Parquet, one row group per recording, resumable at any moment.

    OUT/data/<corpus>/<split>-00000-of-00002.parquet      the dataset
    OUT/.psgimg/parts/<corpus>/<recording>.parquet        a finished recording, not yet in a shard
    OUT/.psgimg/staged/, OUT/.psgimg/old/                 shards on their way; see ``shard_files``

Every file has the facts of its recordings in its footer, so that the files alone record what is
finished. A recording is deleted from one place only after it is complete in the next.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder import atomic_file
from psgimg.builder.dataset import json_form
from psgimg.builder.dataset.build_json import FooterFacts, RecordingFacts
from psgimg.builder.dataset.schema import (
    Row,
    n_variants,
    schema,
    table,
    variant_columns,
)
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, durable, hashing_file, safe_names
from psgimg.builder.files.hash_cache import Stamp
from psgimg.builder.processes import ahead

STATE = ".psgimg"
DATA = "data"
FOOTER = "psgimg"
N_TO_HASH = 8
"""Writes of a shard, a data page each, that may wait to be hashed."""

PAGE_BYTES, PAGE_STEP = 2**20, 16
"""Size of a Parquet data page, and how many rows are added to it between two looks at its size, so
that one picture can be read without the rest of its night."""

Key = tuple[str, str]
"""(corpus, recording)"""


@dataclass(frozen=True)
class Done:
    """A finished recording: the location of its row group, and its facts.

    ``withdrawn`` if it can no longer be built; it then has no row group.
    """

    path: Path
    row_group: int
    facts: RecordingFacts
    withdrawn: bool = False

    @property
    def key(self) -> Key:
        """Corpus and recording."""
        return self.facts["corpus"], self.facts["recording"]


def write_part(out: Path, rows: list[Row], facts: RecordingFacts, n_columns: int = 0) -> None:
    """Write one recording as a part, atomically.

    Parameters
    ----------
    n_columns
        Number of columns for variants that all recordings of the dataset have.
    """
    path = part_path(out, (facts["corpus"], facts["recording"]))
    _write(path, [facts], (table(some, n_columns) for some in [rows]), n_columns=n_columns)


def part_path(out: Path, key: Key) -> Path:
    """Return the path of a finished recording that is not yet in a shard."""
    corpus, recording = key
    return out / STATE / "parts" / corpus / f"{recording}.parquet"


def finished(out: Path) -> dict[Key, Done]:
    """Return every finished recording, in whichever folder; unreadable files count as absent.

    Raises
    ------
    BuildError
        If a link leads out of the folder, or a file has facts that no build writes.
    """
    recordings: dict[Key, Done] = {}
    state = out / STATE
    safe_names.refuse_links(out, (STATE, DATA))
    for folder in (out / DATA, state / "old", state / "staged", state / "parts"):
        for path in sorted(folder.rglob("*.parquet")):
            for done in contents(path):
                recordings[done.key] = done
    return {key: done for key, done in recordings.items() if not done.withdrawn}


def discard(out: Path, done: Done | None) -> None:
    """Mark a recording of an earlier run as withdrawn, because it can no longer be built."""
    if done is not None:
        path = part_path(out, done.key)
        facts: FooterFacts = {**done.facts, "withdrawn": True}
        _write(path, [facts], [])  # takes precedence over the shard that still contains it


def write_shard(path: Path, first: Done, others: Iterable[Done]) -> str:
    """Write finished recordings to a shard, atomically, and return its SHA-256; it is not read again.

    The iterable may wait for a recording that is not finished yet.
    """
    digest = hashlib.sha256()
    facts: list[RecordingFacts] = []

    def noted(some: Iterable[Done]) -> Iterator[Done]:
        for done in some:
            facts.append(done.facts)
            yield done

    n_columns = n_variants(pq.read_schema(first.path))
    with ahead.results(_read, noted(chain([first], others))) as tables:
        _write(path, facts, tables, digest, n_columns)
    return digest.hexdigest()


def n_rows(path: Path) -> int:
    """Return the number of rows of a shard, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def read_column(done: Done, columns: list[str]) -> pa.Table:
    """Read some columns of one recording."""
    with pq.ParquetFile(done.path) as file:
        return file.read_row_group(done.row_group, columns=columns)


def _read(done: Done) -> pa.Table:
    """Read a recording, without variants that it may not have in its split."""
    with pq.ParquetFile(done.path) as file:
        table = file.read_row_group(done.row_group)
    for name in variant_columns(n_variants(table.schema)) if not done.facts.get("variants") else ():
        number = table.schema.get_field_index(name)
        field = table.schema.field(number)
        table = table.set_column(number, field, pa.nulls(len(table), field.type))
    return table


def _write(
    path: Path,
    facts: Sequence[RecordingFacts],
    tables: Iterable[pa.Table],
    digest: hashlib._Hash | None = None,
    n_columns: int = 0,
) -> None:
    """Write a Parquet file with one row group per table; all columns but the images are compressed.

    Parameters
    ----------
    facts
        Of the recordings; complete once all tables were taken.
    digest
        Updated with the bytes of the file.
    n_columns
        Number of columns for variants.
    """
    arrow = schema(n_variants=n_columns)
    pictures = {"image", *variant_columns(n_columns)}
    others = [name for name in _leaves(arrow) if name.split(".")[0] not in pictures]
    compression = {name: "snappy" if name in others else "none" for name in _leaves(arrow)}
    hashing = ahead.in_order(digest.update, N_TO_HASH) if digest else nullcontext()
    with (
        atomic_file.whole(path) as temporary,
        hashing as to_hash,
        hashing_file.opened(temporary, to_hash) as file,
        pq.ParquetWriter(
            file,
            arrow,
            compression=compression,
            use_dictionary=others,
            write_page_index=True,
            data_page_size=PAGE_BYTES,
            write_batch_size=PAGE_STEP,
        ) as writer,
    ):
        for table in tables:
            writer.write_table(
                table.replace_schema_metadata(arrow.metadata), row_group_size=len(table)
            )
            del table
            pa.default_memory_pool().release_unused()  # else it keeps a recording's pictures
            if digest:
                durable.sync_file(temporary)  # now, so that the end of a shard waits for little
        footer = json.dumps(facts, sort_keys=True, ensure_ascii=True)
        writer.add_key_value_metadata({FOOTER: footer})


def _leaves(arrow: pa.Schema) -> list[str]:
    """Return the column paths in Parquet's notation."""
    return [
        f"{field.name}.{child}" if child else field.name
        for field in arrow
        for child in (
            ["bytes", "path"]
            if pa.types.is_struct(field.type)
            else ["list.element"]
            if pa.types.is_list(field.type)
            else [""]
        )
    ]


def has_footer(path: Path) -> bool:
    """Return whether a Parquet file was written here: its footer has the facts of its recordings."""
    try:
        return FOOTER.encode() in (pq.read_metadata(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def contents(path: Path) -> Iterator[Done]:
    """Yield the recordings of a file in order, by its footer; none if it is not psgimg's or damaged.

    Raises
    ------
    BuildError
        If the file can't be opened, or has facts that no build writes.
    """
    try:
        footer = _footer(path, Stamp.of(path.stat()))
    except PermissionError as error:
        raise BuildError(atomic_file.unwritable(path, error)) from error
    except (pa.ArrowException, OSError, KeyError, ValueError):
        return  # damaged by another program: the recording is drawn again
    for row_group, (facts, withdrawn) in enumerate(footer):
        yield Done(path, row_group, facts, withdrawn)


@functools.lru_cache(maxsize=20_000)
def _footer(path: Path, stamp: Stamp) -> Sequence[tuple[RecordingFacts, bool]]:
    """Return the facts of each recording in a file, and whether it is withdrawn.

    A build asks several times, and thousands of footers take seconds.
    """
    del stamp  # a changed file is read again
    metadata = pq.read_metadata(path).metadata or {}
    footer: list[FooterFacts] = bounded.loads(metadata[FOOTER.encode()], path.name)
    if not isinstance(footer, list):
        return ()
    try:
        for facts in footer:
            json_form.conform(facts, FooterFacts, needed=("corpus", "recording"))
    except json_form.FormError as error:
        raise BuildError(
            f"{path} is damaged or was written by another version of psgimg ({error}); remove it or get it "
            "again, or choose another --out"
        ) from error
    return [(facts, facts.pop("withdrawn", False)) for facts in footer]
