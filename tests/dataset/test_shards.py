"""Shards: recordings as row groups, which the files alone record as finished."""

import contextlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psgimg.builder import atomic_file
from psgimg.builder.building import shard_plan
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.schema import FEATURES, features, schema
from psgimg.builder.errors import BuildError
from shard_parts import content, facts, publish, rows, write

NAMES = [f"{i:04d}-night" for i in range(200)]


def test_the_schema_is_what_datasets_itself_would_write():
    assert features().to_dict() == FEATURES
    for n in (0, 2):
        assert features(n).arrow_schema.equals(schema(n_variants=n), check_metadata=True)


def test_one_row_group_a_recording_and_images_uncompressed(tmp_path):
    write(tmp_path, NAMES[:3])
    publish(tmp_path)
    file = pq.ParquetFile(tmp_path / "data/shhs/train-00000-of-00001.parquet")
    assert file.num_row_groups == 3
    group = file.metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert columns["image.bytes"].compression == "UNCOMPRESSED"
    assert not columns["image.bytes"].has_dictionary_page
    assert columns["recording"].compression == "SNAPPY"


class CountedFile(io.FileIO):
    """A file that counts the bytes read from it."""

    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data


def test_a_picture_is_read_without_the_rest_of_its_night(tmp_path):
    night = rows(NAMES[0], 200)
    for row in night:
        row["image"]["bytes"] *= 34_000 // len(row["image"]["bytes"])
    shards.write_part(tmp_path, night, facts(NAMES[0]))
    path = shards.finished(tmp_path)["shhs", NAMES[0]].path
    with CountedFile(path) as counted:
        file = pq.ParquetFile(pa.PythonFile(counted, mode="r"), buffer_size=2**14, pre_buffer=False)
        counted.n_read = 0
        batch = next(file.iter_batches(1, columns=["image.bytes"]))
        assert batch["image"][0].as_py()["bytes"] == night[0]["image"]["bytes"]
        assert counted.n_read < 1.5 * shards.PAGE_BYTES < path.stat().st_size / 4


def test_recordings_spread_over_shards_by_subject(tmp_path):
    write(tmp_path, NAMES)
    done = shards.finished(tmp_path)
    planned = shard_plan.plan(done.values(), dict.fromkeys(done, "train"))
    assert [shard.name[-17:] for shard in planned] == ["-of-00004.parquet"] * 4
    assert sum(len(shard.recordings) for shard in planned) == 200
    assert min(len(shard.recordings) for shard in planned) > 20


def test_adding_a_recording_changes_one_shard(tmp_path):
    write(tmp_path, NAMES)
    publish(tmp_path)
    before = content(tmp_path)
    write(tmp_path, ["0003-night2"])
    publish(tmp_path)
    after = content(tmp_path)
    assert sum(before[name] != after[name] for name in before) == 1


def test_a_recording_drawn_anew_replaces_its_former_rows(tmp_path):
    write(tmp_path, NAMES[:2])
    publish(tmp_path)
    write(tmp_path, NAMES[:1], mark=1)
    publish(tmp_path)
    assert [d.facts["mark"] for d in shards.finished(tmp_path).values()] == [1, 0]


def test_a_recording_that_can_no_longer_be_built_leaves_the_dataset(tmp_path):
    write(tmp_path, NAMES[:2])
    publish(tmp_path)
    shards.discard(tmp_path, shards.finished(tmp_path)["shhs", NAMES[0]])
    shards.discard(tmp_path, None)
    publish(tmp_path)
    assert list(shards.finished(tmp_path)) == [("shhs", NAMES[1])]


def test_a_torn_file_counts_as_absent(tmp_path):
    write(tmp_path, NAMES[:2])
    part = next((tmp_path / ".psgimg/parts/shhs").glob("0000*"))
    part.write_bytes(part.read_bytes()[:-100])
    assert list(shards.finished(tmp_path)) == [("shhs", NAMES[1])]


def test_a_half_written_file_never_has_its_name(tmp_path):
    with contextlib.suppress(RuntimeError), atomic_file.whole(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_with_the_remedy(tmp_path):
    with (
        pytest.raises(BuildError, match=r"disk is full.*--out.*what is finished is kept"),
        atomic_file.whole(tmp_path / "a"),
    ):
        raise OSError(28, "No space left on device")
