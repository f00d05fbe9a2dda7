"""Page index: stage, recording, time and place of every page of a split, without its picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psgimg.builder.dataset.schema import FEATURES, schema
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import pictures
from psgimg.finetune.data.pictures import Shard
from psgimg.finetune.data.source import Source
from psgimg.finetune.lanes.pattern import Drawn

IDENTITY = ("corpus", "subject", "recording")
TYPES: dict[str, type[np.generic]] = {
    "label": np.int8,
    "label_2": np.int8,
    "epoch": np.int32,
    "onset_s": np.float32,
}
NO_STAGE = -1
"""Label of an epoch without a second scorer's stage."""

REMEDY = "build the dataset again"


class RecordingKey(NamedTuple):
    """Corpus, subject and name of a recording."""

    corpus: str
    subject: str
    recording: str


@dataclass(frozen=True, eq=False)
class Index:
    """The pages of a split, grouped by recording, each recording in order of time.

    The index takes about 15 bytes per page.

    Parameters
    ----------
    label : (n,) int8
        Stage of the reference scorer, 0 to 4.
    label_2 : (n,) int8
        Stage of a second scorer; -1 if there is none.
    recording : (n,) int32
        Index into ``recordings``, ascending.
    epoch : (n,) int32
        Number of the epoch in its recording.
    onset_s : (n,) float32
        Start of the epoch, in seconds from the start of the recording.
    joined : (n,) bool
        Whether an epoch starts where the epoch of the previous page of its recording ends.
    recordings
        The recordings, in the order of their pages.
    lanes
        Derivations drawn on the pages of each recording, from top to bottom; None if absent.
    shards
        Where the pictures of the pages are.
    """

    label: npt.NDArray[np.int8]
    label_2: npt.NDArray[np.int8]
    recording: npt.NDArray[np.int32]
    epoch: npt.NDArray[np.int32]
    onset_s: npt.NDArray[np.float32]
    joined: npt.NDArray[np.bool_]
    recordings: tuple[RecordingKey, ...]
    lanes: tuple[Drawn, ...] = ()
    shards: tuple[Shard, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        arrays = (self.label, self.label_2, self.recording, self.epoch, self.onset_s, self.joined)
        return sum(array.nbytes for array in arrays)

    def neighbours(self, row: int, k: int) -> tuple[list[int | None], list[int | None]]:
        """Return the rows of the ``k`` pages before and after a page, both in order of time.

        None stands for a missing page: beyond the start or end of the recording, and beyond an
        epoch without a page.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        n_before = n_after = 0
        while n_before < k and self.joined[row - n_before]:
            n_before += 1
        while n_after < k and row + n_after + 1 < len(self) and self.joined[row + n_after + 1]:
            n_after += 1
        before = [None] * (k - n_before) + list(range(row - n_before, row))
        after = [*range(row + 1, row + 1 + n_after), *[None] * (k - n_after)]
        return before, after


def read(source: Source) -> Index:
    """Read the index of a split from its shards, one at a time, without the pictures.

    Raises
    ------
    BuildError
        If a shard can't be read, its columns or stage names are not psgimg's, or its number of
        rows is not that in ``build.json``; if a row has a missing or invalid stage, the rows of a
        recording are not contiguous, not in order of time or of different lanes, or the length of
        its epochs is unknown. The message names the shard and the row.
    """
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("recording", *TYPES)}
    recordings: dict[RecordingKey, Drawn] = {}
    shards: list[Shard] = []
    n_lanes = len(source.build["recipe"]["montage"]["lanes"])
    for path, n_rows in source.shards:
        where = f"{source}, {path.name}"
        table, shard = _opened(path, n_rows, where)
        shards.append(shard)
        starts = _starts(table)
        codes = np.cumsum(starts, dtype=np.int32) - 1
        parts["recording"].append(codes + np.int32(len(recordings)))
        for name, dtype in TYPES.items():
            parts[name].append(table[name].to_numpy().astype(dtype))
        _check_order(parts["onset_s"][-1], starts, where)
        _check_lanes(table["lanes"], starts, n_lanes, where)
        for row in np.flatnonzero(starts):
            key = RecordingKey(*(table[name][int(row)].as_py() for name in IDENTITY))
            if key in recordings:
                raise BuildError(
                    f"{where}: the rows of {key.recording} are not contiguous; {REMEDY}"
                )
            recordings[key] = tuple(table["lanes"][int(row)].as_py())
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    epoch_s = _epochs_s(source, recordings)[columns["recording"]]
    joined = join(columns["recording"], columns["onset_s"], epoch_s)
    return Index(
        **columns,
        joined=joined,
        recordings=tuple(recordings),
        lanes=tuple(recordings.values()),
        shards=tuple(shards),
    )


def read_each(sources: Sequence[Source]) -> list[Index]:
    """Read the index of several splits; parts of a fold, which have the same shards, share one."""
    by_shards: dict[object, Index] = {}
    for source in sources:
        if source.shards not in by_shards:
            by_shards[source.shards] = read(source)
    return [by_shards[source.shards] for source in sources]


def join(
    recording: npt.NDArray[np.integer],
    onset_s: npt.NDArray[np.float32],
    epoch_s: npt.NDArray[np.float64],
) -> npt.NDArray[np.bool_]:
    """Return whether each epoch starts where the previous one of its recording ends.

    Parameters
    ----------
    recording, onset_s, epoch_s : (n,)
        One value per page, grouped by recording, each recording in order of time.
    """
    joined = np.zeros(len(onset_s), np.bool_)
    step_s = np.diff(onset_s.astype(np.float64))
    # Late onsets are exact only to the float32 spacing.
    tolerance_s = TOLERANCE_S + np.spacing(onset_s[1:]).astype(np.float64)
    joined[1:] = (np.diff(recording) == 0) & (np.abs(step_s - epoch_s[1:]) <= tolerance_s)
    return joined


def _opened(path: Path, n_rows: int, where: str) -> tuple[pa.Table, Shard]:
    """Read the columns of a shard other than the picture, and where its pictures are."""
    try:
        footer = pq.read_metadata(path)
        _check_schema(footer.schema.to_arrow_schema(), where)
        with pq.ParquetFile(path, metadata=footer, read_dictionary=list(IDENTITY)) as file:
            if (found := file.metadata.num_rows) != n_rows:  # nothing is read, however many
                raise BuildError(f"{where} has {found} rows, but {n_rows} in build.json; {REMEDY}")
            shard = pictures.located(path, file)
            table = file.read(columns=[*IDENTITY, *TYPES, "lanes"])
    except (pa.ArrowException, OSError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise BuildError(f"{where} can't be read ({cause}); build or download it again") from error
    return _checked(table, where), shard


def _checked(table: pa.Table, where: str) -> pa.Table:
    """Return the columns with all dictionaries in one, after their values were checked."""
    second = table.column_names.index("label_2")
    table = table.set_column(second, "label_2", table["label_2"].fill_null(NO_STAGE))
    for name in table.column_names:
        if table[name].null_count:
            row = int(np.flatnonzero(table[name].is_null().to_numpy())[0])
            raise BuildError(f"{where}, row {row}: {name} is missing; {REMEDY}")
    for name, lowest in (("label", 0), ("label_2", NO_STAGE)):
        labels = table[name].to_numpy()
        for row in np.flatnonzero((labels < lowest) | (labels >= len(STAGE_NAMES)))[:1]:
            raise BuildError(
                f"{where}, row {row}: {name} is {labels[row]}, but must be 0 to "
                f"{len(STAGE_NAMES) - 1}; {REMEDY}"
            )
    return table.unify_dictionaries()


def _check_schema(found: pa.Schema, where: str) -> None:
    """Reject columns other than psgimg's; the names of the stages are in the metadata."""
    wanted = schema()
    try:
        features = bounded.loads((found.metadata or {})[b"huggingface"], where)["info"]["features"]
    except (KeyError, ValueError, TypeError):
        features = {}
    for name, feature in FEATURES.items():
        stated = features.get(name, "missing") if isinstance(features, dict) else "missing"
        if found.names.count(name) != 1:
            stated = "missing" if name not in found.names else "repeated"
        elif found.field(name).type != wanted.field(name).type:
            stated = found.field(name).type
        if stated != feature:
            raise BuildError(
                f"{where}: column {name} is not psgimg's ({stated}); use a dataset written by "
                "`psgimg build`"
            )


def _starts(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Return whether each row is the first of its recording."""
    starts = np.zeros(len(table), np.bool_)
    starts[:1] = True
    for name in IDENTITY:
        starts[1:] |= np.diff(table[name].combine_chunks().indices.to_numpy()) != 0
    return starts


def _check_order(
    onset_s: npt.NDArray[np.float32], starts: npt.NDArray[np.bool_], where: str
) -> None:
    """Reject rows of a recording that are not in order of time."""
    for row in np.flatnonzero(~((np.diff(onset_s) > 0) | starts[1:]))[:1] + 1:
        raise BuildError(
            f"{where}, row {row}: starts at {onset_s[row]:g} s, not after the previous row; {REMEDY}"
        )


def _check_lanes(
    lanes: pa.ChunkedArray, starts: npt.NDArray[np.bool_], n_lanes: int, where: str
) -> None:
    """Reject rows without the lanes of the montage, and those that change within a recording."""
    counts = pc.fill_null(pc.list_value_length(lanes), -1).to_numpy()
    for row in np.flatnonzero(counts != n_lanes)[:1]:
        raise BuildError(
            f"{where}, row {row}: {max(counts[row], 0)} lanes, but {n_lanes} in the recipe; {REMEDY}"
        )
    names = pc.dictionary_encode(pc.list_flatten(lanes)).combine_chunks().indices
    drawn = pc.fill_null(names, -1).to_numpy().reshape(-1, n_lanes)
    changed = (drawn[1:] != drawn[:-1]).any(axis=1) & ~starts[1:]
    for row in np.flatnonzero(changed)[:1] + 1:
        raise BuildError(
            f"{where}, row {row}: other lanes than on the pages before of its recording; {REMEDY}"
        )


def _epochs_s(source: Source, recordings: Iterable[RecordingKey]) -> npt.NDArray[np.float64]:
    """Return the length of the epochs of each recording, in seconds."""
    by_recording = source.epochs_s
    lengths_s = [by_recording.get((key.corpus, key.recording)) for key in recordings]
    for key, epoch_s in zip(recordings, lengths_s, strict=True):
        if epoch_s is None:
            raise BuildError(
                f"{source}: recording {key.recording} of {key.corpus} is not in build.json; "
                f"{REMEDY}"
            )
    return np.array(lengths_s, np.float64)
