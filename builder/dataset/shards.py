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
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder import atomic_file
from psgimg.builder.dataset import json_form
from psgimg.builder.dataset.build_json import FooterFacts, RecordingFacts
from psgimg.builder.dataset.schema import Row, SplitName, schema, table
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, safe_names
from psgimg.builder.files.hash_cache import Stamp

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STATE = ".psgimg"
DATA = "data"
PER_SHARD = 64
"""Largest mean number of recordings per shard: 500 MB to 1.5 GB, few files, small updates."""

FOOTER = "psgimg"
IMAGE_COLUMNS = ("image.bytes", "image.path")
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


@dataclass(frozen=True)
class Shard:
    """A shard to write: its name under ``data/`` and its recordings in order."""

    name: str
    corpus: str
    split: SplitName
    recordings: tuple[Done, ...]


def write_part(out: Path, rows: list[Row], facts: RecordingFacts) -> None:
    """Write one recording as a part, atomically."""
    path = part_path(out, (facts["corpus"], facts["recording"]))
    _write(path, [facts], (table(some) for some in [rows]))


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


def plan(recordings: Iterable[Done], splits: Mapping[Key, SplitName]) -> list[Shard]:
    """Assign recordings to shards by a hash of the subject, so that adding one changes few shards.

    The number of shards of a corpus and split is a power of two, so that growth divides each shard.
    """
    groups: dict[tuple[str, SplitName], list[Done]] = defaultdict(list)
    for done in recordings:
        groups[done.facts["corpus"], splits[done.key]].append(done)
    shards = []
    for (corpus, split), members in sorted(groups.items()):
        n_shards = 1
        while n_shards * PER_SHARD < len(members):
            n_shards *= 2
        buckets: dict[int, list[Done]] = defaultdict(list)
        for done in sorted(members, key=lambda done: done.key):
            buckets[_bucket(done.facts, n_shards)].append(done)
        shards += [
            Shard(
                f"{corpus}/{split}-{i:05d}-of-{n_shards:05d}.parquet", corpus, split, tuple(bucket)
            )
            for i, bucket in sorted(buckets.items())
        ]
    return shards


def discard(out: Path, done: Done | None) -> None:
    """Mark a recording of an earlier run as withdrawn, because it can no longer be built."""
    if done is not None:
        path = part_path(out, done.key)
        facts: FooterFacts = {**done.facts, "withdrawn": True}
        _write(path, [facts], [])  # takes precedence over the shard that still contains it


def write_shard(path: Path, recordings: Sequence[Done]) -> str:
    """Write finished recordings to a shard, atomically, and return its SHA-256; it is not read again."""
    digest = hashlib.sha256()
    _write(path, [done.facts for done in recordings], map(_read, recordings), digest)
    return digest.hexdigest()


def n_rows(path: Path) -> int:
    """Return the number of rows of a shard, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def read_column(done: Done, columns: list[str]) -> pa.Table:
    """Read some columns of one recording."""
    with pq.ParquetFile(done.path) as file:
        return file.read_row_group(done.row_group, columns=columns)


def _read(done: Done) -> pa.Table:
    with pq.ParquetFile(done.path) as file:
        return file.read_row_group(done.row_group)


def _bucket(facts: RecordingFacts, n_shards: int) -> int:
    digest = hashlib.sha256(f"{facts['corpus']}/{facts['kin']}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * n_shards >> 64


@contextmanager
def _opened(path: Path, digest: hashlib._Hash | None) -> Iterator[Path | pa.PythonFile]:
    if digest is None:
        yield path
        return
    with _HashingWriter(path, digest) as file:
        yield pa.PythonFile(file, mode="w")


class _HashingWriter(io.BufferedWriter):
    """A file whose bytes are also passed to a hash."""

    def __init__(self, path: Path, digest: hashlib._Hash) -> None:
        super().__init__(io.FileIO(path, "w"))
        self._digest = digest

    def write(self, data: ReadableBuffer) -> int:
        """Write all of the bytes."""
        self._digest.update(data)
        return super().write(data)


def _write(
    path: Path,
    facts: Sequence[RecordingFacts],
    tables: Iterable[pa.Table],
    digest: hashlib._Hash | None = None,
) -> None:
    """Write a Parquet file with one row group per table; all columns but the images are compressed.

    Parameters
    ----------
    digest
        Updated with the bytes of the file.
    """
    footer = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    arrow = schema({FOOTER: footer})
    others = [name for name in _leaves(arrow) if name not in IMAGE_COLUMNS]
    compression = {**dict.fromkeys(IMAGE_COLUMNS, "none"), **dict.fromkeys(others, "snappy")}
    with (
        atomic_file.whole(path) as temporary,
        _opened(temporary, digest) as file,
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
        return FOOTER.encode() in (pq.read_schema(path).metadata or {})
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
    metadata = pq.read_schema(path).metadata or {}
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
