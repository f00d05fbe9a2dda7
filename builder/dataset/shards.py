"""Shards: write rows to Parquet, one row group per recording, resumable at any moment.

    OUT/data/<corpus>/<split>-00000-of-00002.parquet      the dataset
    OUT/.psgimg/parts/<corpus>/<recording>.parquet        a finished recording, not yet in a shard
    OUT/.psgimg/staged/, OUT/.psgimg/old/                 new shards to move in, old ones to delete

Every file has the facts of its recordings in its footer, so that the files alone record what is
finished. A recording is deleted from one place only after it is complete in the next.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder import atomic_file
from psgimg.builder.dataset import json_form
from psgimg.builder.dataset.build_json import FooterFacts, RecordingFacts
from psgimg.builder.dataset.schema import Row, SplitName, schema, table
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, durable, safe_names

STATE = ".psgimg"
DATA = "data"
PER_SHARD = 64
"""Largest mean number of recordings per shard: 500 MB to 1.5 GB, few files, small updates."""

FOOTER = "psgimg"
IMAGE_COLUMNS = ("image.bytes", "image.path")

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
    path = out / STATE / "parts" / facts["corpus"] / f"{facts['recording']}.parquet"
    _write(path, [facts], (table(some) for some in [rows]))


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
    for folder in (state / "old", out / DATA, state / "staged", state / "parts"):
        for path in sorted(folder.rglob("*.parquet")):
            for done in _read_footer(path):
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
        path = out / STATE / "parts" / done.key[0] / f"{done.key[1]}.parquet"
        facts: FooterFacts = {**done.facts, "withdrawn": True}
        _write(path, [facts], [])  # takes precedence over the shard that still contains it


def publish(out: Path, shards: list[Shard]) -> None:
    """Make ``out/data`` contain exactly these shards; files of others in it stay.

    New shards are written beside the old ones, row group by row group, and moved to their place when
    all are complete. A part is deleted as soon as a staged shard contains it. If the process is
    killed at any point, a second call completes the work with the same bytes.
    """
    state, data = out / STATE, out / DATA
    wanted = {shard.name: shard for shard in shards}
    stale = [
        p
        for p in sorted((state / "staged").rglob("*.parquet"))
        if not _holds(p, wanted, state / "staged")
    ]
    moved = {path: _retire(path, state / "old") for path in stale}
    for shard in shards:
        target = data / shard.name
        if _holds(target, wanted, data) or _holds(
            state / "staged" / shard.name, wanted, state / "staged"
        ):
            continue
        sources = [Done(moved.get(d.path, d.path), d.row_group, d.facts) for d in shard.recordings]
        _write(state / "staged" / shard.name, [d.facts for d in sources], map(_read, sources))
        for done in sources:
            if (state / "parts") in done.path.parents:
                done.path.unlink()
    for path in sorted(data.rglob("*.parquet")):
        if path.relative_to(data).as_posix() not in wanted and has_footer(path):
            durable.remove(path)
    for shard in shards:
        staged = state / "staged" / shard.name
        if staged.exists():
            durable.make_folder((data / shard.name).parent)
            durable.replace(staged, data / shard.name)
    for folder in ("old", "staged", "parts"):
        shutil.rmtree(state / folder, ignore_errors=True)


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


def _write(path: Path, facts: Sequence[RecordingFacts], tables: Iterable[pa.Table]) -> None:
    """Write a Parquet file with one row group per table; all columns but the images are compressed."""
    footer = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    arrow = schema({FOOTER: footer})
    others = [name for name in _leaves(arrow) if name not in IMAGE_COLUMNS]
    compression = {**dict.fromkeys(IMAGE_COLUMNS, "none"), **dict.fromkeys(others, "snappy")}
    with (
        atomic_file.whole(path) as temporary,
        pq.ParquetWriter(
            temporary, arrow, compression=compression, use_dictionary=others, write_page_index=True
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


def _read_footer(path: Path) -> Iterator[Done]:
    try:
        metadata = pq.read_schema(path).metadata or {}
        facts: list[FooterFacts] = bounded.loads(metadata[FOOTER.encode()], path.name)
        if not isinstance(facts, list):
            return
    except PermissionError as error:
        raise BuildError(atomic_file.unwritable(path, error)) from error
    except (pa.ArrowException, OSError, KeyError, ValueError):
        return  # damaged by another program: the recording is drawn again
    try:
        for fact in facts:
            json_form.conform(fact, FooterFacts, needed=("corpus", "recording"))
    except json_form.FormError as error:
        raise BuildError(
            f"{path} is damaged or was written by another version of psgimg ({error}); remove it or get it "
            "again, or choose another --out"
        ) from error
    for row_group, fact in enumerate(facts):
        yield Done(path, row_group, fact, fact.pop("withdrawn", False))


def _holds(path: Path, wanted: Mapping[str, Shard], root: Path) -> bool:
    """Return whether a file is complete and contains exactly the recordings of its shard."""
    shard = wanted.get(path.relative_to(root).as_posix())
    if shard is None or not path.exists():
        return False
    return [d.facts for d in _read_footer(path)] == [d.facts for d in shard.recordings]


def _retire(path: Path, old: Path) -> Path:
    """Move a stale staged file to ``old`` under a unique name; its recordings can still be read."""
    old.mkdir(parents=True, exist_ok=True)
    place = old / f"{len(list(old.iterdir())):05d}-{path.parent.name}-{path.name}"
    return path.replace(place)
